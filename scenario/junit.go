package scenario

import (
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// The elements of a JUnit report as continuous integration systems read it.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name      string        `xml:"name,attr"`
	Classname string        `xml:"classname,attr"`
	File      string        `xml:"file,attr,omitempty"`
	Line      int           `xml:"line,attr,omitempty"`
	Time      string        `xml:"time,attr"`
	Failure   *junitProblem `xml:"failure"`
	Error     *junitProblem `xml:"error"`
}

type junitProblem struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes the report as JUnit XML: a suite per test of the schema, a
// case per check. A check that got the wrong answer is a failure; one that got an
// error, or a tuple that is not admitted, is an error.
func (r *Report) WriteJUnit(w io.Writer) error {
	suites := junitSuites{Name: r.File}
	var total time.Duration
	for _, t := range r.Tests {
		suite := junitSuite{Name: t.Name, Time: seconds(t.took)}
		for _, f := range t.Faults {
			suite.Cases = append(suite.Cases, junitCase{Name: "given", Classname: t.Name, File: f.place.File, Line: f.place.Line, Time: seconds(0),
				Error: &junitProblem{Message: f.Message, Type: f.Code, Text: f.Place + ": " + f.Message}})
			suite.Errors++
		}
		for _, c := range t.Checks {
			one := junitCase{Name: c.String(), Classname: t.Name, File: c.place.File, Line: c.place.Line, Time: seconds(0)}
			if !c.Passed {
				problem := &junitProblem{Message: fmt.Sprintf("want %s, got %s", c.Want, c.got()), Type: c.Assertion,
					Text: fmt.Sprintf("%s: %s\n%s", c.Place, c, c.Why)}
				if c.Got == gotError {
					one.Error = problem
					suite.Errors++
				} else {
					one.Failure = problem
					suite.Failures++
				}
			}
			suite.Cases = append(suite.Cases, one)
		}
		suite.Tests = len(suite.Cases)
		suites.Tests += suite.Tests
		suites.Failures += suite.Failures
		suites.Errors += suite.Errors
		total += t.took
		suites.Suites = append(suites.Suites, suite)
	}
	suites.Time = seconds(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suites); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
