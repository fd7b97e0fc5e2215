package tuplefile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// jsonFile reads tuples out of JSON values that follow each other.
type jsonFile struct {
	name  string
	in    *lineCounter
	dec   *jsontext.Decoder
	yield func(Entry, error) bool
}

func readJSON(name string, r io.Reader, yield func(Entry, error) bool) {
	in := &lineCounter{r: r, line: 1, left: maxValue}
	f := &jsonFile{name: name, in: in, dec: jsontext.NewDecoder(in), yield: yield}
	for f.value() {
	}
}

// value reads one value of the top level: a tuple, an array of them, or an
// object that holds such an array. It says whether to read on.
func (f *jsonFile) value() bool {
	switch f.dec.PeekKind() {
	case '[':
		return f.array()
	case '{':
		return f.object()
	}
	if _, err := f.dec.ReadValue(); err != nil {
		if !errors.Is(err, io.EOF) {
			f.broken(err)
		}
		return false
	}
	f.in.left = maxValue
	return f.yield(Entry{}, f.fault(f.dec.InputOffset()-1, "expected a tuple: an object with the members object, relation and subject"))
}

func (f *jsonFile) array() bool {
	if _, err := f.dec.ReadToken(); err != nil {
		return f.broken(err)
	}
	for f.dec.PeekKind() != ']' {
		if !f.tuple() {
			return false
		}
	}
	_, err := f.dec.ReadToken()
	return err == nil || f.broken(err)
}

// object reads a tuple, an answer {"tuples": […], …}, or the end of a stream.
func (f *jsonFile) object() bool {
	raw, err := f.dec.ReadValue()
	if err != nil {
		return f.broken(err)
	}
	start := f.dec.InputOffset() - int64(len(raw))
	f.in.left = maxValue
	var kind struct {
		Tuples  []jsontext.Value `json:"tuples"`
		End     jsontext.Value   `json:"end"`
		Problem *api.Problem     `json:"problem"`
	}
	if err := json.Unmarshal(raw, &kind); err == nil {
		switch {
		case kind.Problem != nil:
			return f.yield(Entry{}, f.fault(start, "the stream that this file was made from ended in a problem: "+kind.Problem.Error()))
		case kind.End != nil:
			return true
		case kind.Tuples != nil:
			for _, t := range kind.Tuples {
				if !f.yield(f.parse(start, t)) {
					return false
				}
			}
			return true
		}
	}
	return f.yield(f.parse(start, raw))
}

func (f *jsonFile) tuple() bool {
	raw, err := f.dec.ReadValue()
	if err != nil {
		return f.broken(err)
	}
	start := f.dec.InputOffset() - int64(len(raw))
	f.in.left = maxValue
	return f.yield(f.parse(start, raw))
}

// parse decodes one tuple, strictly.
func (f *jsonFile) parse(start int64, raw jsontext.Value) (Entry, error) {
	var wire api.Tuple
	if err := json.Unmarshal(raw, &wire, json.RejectUnknownMembers(true)); err != nil {
		var semantic *json.SemanticError
		if errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName) {
			name := semantic.JSONPointer.LastToken()
			return Entry{}, f.suggest(start, fmt.Sprintf("a tuple has no member %q", name),
				nearestSuggestion(name, []string{"object", "relation", "subject", "condition", "expires"}))
		}
		return Entry{}, f.fault(start, strings.TrimPrefix(err.Error(), "json: "))
	}
	t, faults := wire.Tuple()
	if len(faults) > 0 {
		return Entry{}, f.fault(start, faults[0].Pointer[1:]+": "+faults[0].Message)
	}
	return Entry{t, f.place(start)}, nil
}

func (f *jsonFile) place(offset int64) source.Place {
	line, column := f.in.place(offset)
	return source.Place{File: f.name, Line: line, Column: column}
}

func (f *jsonFile) fault(offset int64, message string) error { return f.suggest(offset, message, "") }

func (f *jsonFile) suggest(offset int64, message, suggestion string) error {
	return fault(f.place(offset), "", message, suggestion)
}

// broken ends the file: behind a fault of JSON itself nothing can be read.
func (f *jsonFile) broken(err error) bool {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errLongValue):
		f.yield(Entry{}, f.fault(f.dec.InputOffset(), errLongValue.Error()))
	case errors.As(err, &syntax):
		f.yield(Entry{}, f.fault(syntax.ByteOffset, "the JSON is malformed: "+syntax.Err.Error()))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		f.yield(Entry{}, f.fault(f.dec.InputOffset(), "the file ends within a value"))
	default:
		f.yield(Entry{}, fmt.Errorf("reading %s: %w", f.name, err))
	}
	return false
}

var errLongValue = fmt.Errorf("a value is longer than %d bytes: it is no tuple, and the rest of the file is not read", maxValue)

// lineCounter knows the lines of what has been read and not yet been asked
// for, and ends with errLongValue where one value is too long.
type lineCounter struct {
	r      io.Reader
	left   int64   // bytes that may be read before the value at hand must be over
	read   int64   // bytes read
	line   int     // the line that begins at start
	start  int64   // where the last line asked for begins
	breaks []int64 // where later lines begin
}

// Read reads as io.Reader has it.
func (l *lineCounter) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errLongValue
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	for i, c := range p[:n] {
		if c == '\n' {
			l.breaks = append(l.breaks, l.read+int64(i)+1)
		}
	}
	l.read += int64(n)
	l.left -= int64(n)
	return n, err
}

// place returns the line and column of an offset; offsets never go down.
func (l *lineCounter) place(offset int64) (line, column int) {
	passed := 0
	for passed < len(l.breaks) && l.breaks[passed] <= offset {
		l.line++
		l.start = l.breaks[passed]
		passed++
	}
	l.breaks = l.breaks[passed:]
	return l.line, int(max(offset-l.start, 0)) + 1
}

// marshal returns a tuple as one line of NDJSON, without the line's end.
func marshal(t tuple.Tuple) ([]byte, error) { return json.Marshal(api.FromTuple(t)) }
