package api

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is an RFC 9457 problem document: why a request has no answer. It is a
// Go error; errors.Is(err, api.UnknownStore) finds its code and those of its
// faults, on the server and across the wire.
type Problem struct {
	Type   string `json:"type"`   // urn:pemba:problem:<code>
	Title  string `json:"title"`  // of the code
	Status int    `json:"status"` // of the HTTP response
	Detail string `json:"detail"` // what is wrong with this request, and what to do
	Code   Code   `json:"code"`
	Errors Faults `json:"errors,omitzero"` // every fault that was found
	Retry  bool   `json:"retry,omitzero"`  // the same request may succeed a little later
}

// Faults are all that is wrong with a request.
type Faults []Fault

// Fault is one thing that is wrong, with its place: a JSON pointer into the body,
// or a place in a schema file.
type Fault struct {
	Code       Code   `json:"code"`
	Message    string `json:"message"` // what is wrong, naming the thing
	Pointer    string `json:"pointer,omitzero"`
	File       string `json:"file,omitzero"`
	Line       int    `json:"line,omitzero"`   // from 1
	Column     int    `json:"column,omitzero"` // from 1, in characters
	Width      int    `json:"width,omitzero"`  // characters at fault
	Excerpt    string `json:"excerpt,omitzero"`
	Expected   string `json:"expected,omitzero"`
	Suggestion string `json:"suggestion,omitzero"`
}

// NewProblem makes the document of a code.
func NewProblem(code Code, detail string, faults ...Fault) *Problem {
	entry := catalogue[code]
	if entry.Status == 0 {
		entry = catalogue[Internal]
	}
	return &Problem{Type: "urn:pemba:problem:" + string(code), Title: entry.Title, Status: entry.Status,
		Detail: detail, Code: code, Errors: faults, Retry: entry.Retry}
}

// Problem returns the faults as one problem, and nil when there are none. The
// code is that of the faults when all have the same, else InvalidRequest.
func (fs Faults) Problem() *Problem {
	if len(fs) == 0 {
		return nil
	}
	code := fs[0].Code
	for _, f := range fs {
		if f.Code != code {
			code = InvalidRequest
		}
	}
	if _, known := catalogue[code]; !known {
		code = InvalidRequest
	}
	detail := fs[0].String()
	if len(fs) > 1 {
		detail = fmt.Sprintf("%s (and %d more, see errors)", detail, len(fs)-1)
	}
	return NewProblem(code, detail, fs...)
}

// Err is Problem as an error that is nil when there are no faults.
func (fs Faults) Err() error {
	if problem := fs.Problem(); problem != nil {
		return problem
	}
	return nil
}

// Under puts a JSON pointer before the place of every fault.
func (fs Faults) Under(pointer string) Faults {
	for i := range fs {
		fs[i].Pointer = pointer + fs[i].Pointer
	}
	return fs
}

// Place returns where the fault is: a JSON pointer, file:line:column, or nothing.
func (f Fault) Place() string {
	if f.File != "" || f.Line != 0 {
		return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	return f.Pointer
}

// String returns place: message; suggestion.
func (f Fault) String() string {
	var b strings.Builder
	if place := f.Place(); place != "" {
		b.WriteString(place + ": ")
	}
	b.WriteString(f.Message)
	if f.Expected != "" {
		b.WriteString("; expected " + f.Expected)
	}
	if f.Suggestion != "" {
		b.WriteString("; " + f.Suggestion)
	}
	return b.String()
}

// Error returns the code with the detail, and every fault in a line of its own
// when there are several.
func (p *Problem) Error() string {
	if len(p.Errors) < 2 {
		return fmt.Sprintf("%s: %s", p.Code, p.Detail)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", p.Code, p.Title)
	for _, f := range p.Errors {
		b.WriteString("\n  " + f.String())
	}
	return b.String()
}

// Is says whether the problem, or one of its faults, has the code.
func (p *Problem) Is(target error) bool {
	code, ok := target.(Code)
	if !ok {
		return false
	}
	if p.Code == code {
		return true
	}
	for _, f := range p.Errors {
		if f.Code == code {
			return true
		}
	}
	return false
}

// AsProblem returns the problem that an error carries, or nil.
func AsProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return nil
}
