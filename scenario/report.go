package scenario

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/source"
)

// Report is what a run found out.
type Report struct {
	File     string    `json:"file"` // the schema's root
	Passed   int       `json:"passed"`
	Failed   int       `json:"failed"`
	Tests    []*Test   `json:"tests"`
	Coverage *Coverage `json:"coverage,omitempty"` // nil where the world has none
}

// Test is one test of a schema.
type Test struct {
	Name   string   `json:"name"`
	Place  string   `json:"place"`
	Faults []Fault  `json:"faults,omitempty"` // why it could not run: tuples that the schema does not admit
	Checks []*Check `json:"checks"`
	took   time.Duration
}

// Fault is a tuple of a test that the schema does not admit.
type Fault struct {
	Place   string `json:"place"`
	Code    string `json:"code"`
	Message string `json:"message"`
	place   source.Place
}

// Check is one question that an assertion asks: one subject, permission and
// object. For "only" one more asks whether there is nobody else; it has no subject.
type Check struct {
	Place      string   `json:"place"` // of the assertion: file:line:column
	Assertion  string   `json:"assertion"`
	Subject    string   `json:"subject,omitempty"`
	Permission string   `json:"permission"`
	Object     string   `json:"object"`
	Context    string   `json:"context,omitempty"`
	At         string   `json:"at,omitempty"`
	Passed     bool     `json:"passed"`
	Want       string   `json:"want"`
	Got        string   `json:"got"`
	Missing    []string `json:"missing,omitempty"`
	Why        string   `json:"why,omitempty"` // why it got that, when it failed
	place      source.Place
}

// OK says whether everything passed. A report without any check is OK.
func (r *Report) OK() bool { return r.Failed == 0 }

// Passed says whether the test could run and all its checks passed.
func (t *Test) Passed() bool { return t.failed() == 0 }

func (t *Test) failed() int {
	failed := len(t.Faults)
	for _, c := range t.Checks {
		if !c.Passed {
			failed++
		}
	}
	return failed
}

func (r *Report) add(t *Test) {
	if t.Checks == nil {
		t.Checks = []*Check{}
	}
	r.Tests = append(r.Tests, t)
	r.Failed += t.failed()
	for _, c := range t.Checks {
		if c.Passed {
			r.Passed++
		}
	}
}

// String returns the check as the language writes an assertion of it.
func (c *Check) String() string {
	subject := c.Assertion + " " + c.Subject
	if c.Subject == "" {
		subject = "nobody else"
	}
	text := fmt.Sprintf("%s to %s on %s", subject, c.Permission, c.Object)
	if c.Context != "" {
		text += " with " + c.Context
	}
	if c.At != "" {
		text += " at " + c.At
	}
	return text
}

func (c *Check) got() string {
	if len(c.Missing) == 0 {
		return c.Got
	}
	return c.Got + " missing " + strings.Join(c.Missing, ", ")
}

// WriteText writes the report for people: one line per test, what failed and
// why, the counts, and the branches that nothing exercised.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	for _, t := range r.Tests {
		if t.Passed() {
			fmt.Fprintf(&b, "ok    %s (%s)\n", t.Name, count(len(t.Checks), "check"))
			continue
		}
		fmt.Fprintf(&b, "FAIL  %s\n", t.Name)
		for _, f := range t.Faults {
			fmt.Fprintf(&b, "      %s: %s [%s]\n", f.Place, f.Message, f.Code)
		}
		for _, c := range t.Checks {
			if c.Passed {
				continue
			}
			fmt.Fprintf(&b, "      %s: %s\n", c.Place, c)
			fmt.Fprintf(&b, "        want %s, got %s\n", c.Want, c.got())
			for line := range strings.Lines(c.Why) {
				fmt.Fprintf(&b, "        %s\n", strings.TrimRight(line, "\n"))
			}
		}
	}
	fmt.Fprintf(&b, "%s in %s: %d passed, %d failed\n", count(r.Passed+r.Failed, "check"), count(len(r.Tests), "test"), r.Passed, r.Failed)
	if c := r.Coverage; c != nil {
		fmt.Fprintf(&b, "%d of %s exercised\n", c.Exercised, count(c.Branches, "branch"))
		for _, m := range c.Missed {
			fmt.Fprintf(&b, "      %s: %s: %s (%s)\n", m.Place, m.Relation, m.Text, m.Reason)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func count(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "ch"):
		return fmt.Sprintf("%d %ses", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error {
	return json.MarshalWrite(w, r, jsontext.Multiline(true), json.Deterministic(true))
}
