package dialect

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Placed is a tuple with the place where its file has it.
type Placed struct {
	tuple.Tuple
	Place source.Place
}

// Limits on tuple files. One that is read as a stream may have any size.
const (
	MaxTupleBytes = 1 << 20  // of one tuple in a file
	MaxYAMLBytes  = 16 << 20 // of a YAML file, which cannot be read as a stream
)

// ErrTupleTooLong is what a Stream fails with.
var ErrTupleTooLong = fmt.Errorf("one tuple takes more than %d bytes", MaxTupleBytes)

// Stream passes a file on and remembers where its lines begin, so that an offset
// that a decoder names can be given as a place. It fails when more than
// MaxTupleBytes pass without a Next, which bounds the memory of the decoder.
type Stream struct {
	name   string
	reader io.Reader
	offset int64 // bytes passed on
	since  int   // of them, since Next
	start  bool  // a byte order mark may follow
	blind  bool  // nobody asks for places: nothing is remembered

	line     int
	begin    int64   // offset of the line's first byte
	newlines []int64 // offsets of ends of lines that no place has asked about yet
	inner    []int64 // offsets of bytes that continue a character, likewise
}

// NewStream reads a file of that name.
func NewStream(name string, r io.Reader) *Stream {
	return &Stream{name: name, reader: r, line: 1, start: true}
}

// WithoutPlaces makes the stream remember nothing, for a decoder that knows its
// lines itself.
func (s *Stream) WithoutPlaces() *Stream {
	s.blind = true
	return s
}

// Next begins another tuple.
func (s *Stream) Next() { s.since = 0 }

// Read passes bytes on.
func (s *Stream) Read(p []byte) (int, error) {
	if s.since > MaxTupleBytes {
		return 0, ErrTupleTooLong
	}
	n, err := s.reader.Read(p)
	if s.start && n > 0 {
		s.start = false
		if n >= 3 && string(p[:3]) == "\ufeff" {
			n = copy(p, p[3:n])
		}
	}
	for i, c := range p[:n] {
		switch {
		case s.blind:
		case c == '\n':
			s.newlines = append(s.newlines, s.offset+int64(i))
		case !utf8.RuneStart(c):
			s.inner = append(s.inner, s.offset+int64(i))
		}
	}
	s.offset += int64(n)
	s.since += n
	return n, err
}

// Place returns the place of an offset; offsets only grow from call to call.
func (s *Stream) Place(offset int64) source.Place {
	for len(s.newlines) > 0 && s.newlines[0] < offset {
		s.begin = s.newlines[0] + 1
		s.newlines = s.newlines[1:]
		s.line++
	}
	for len(s.inner) > 0 && s.inner[0] < s.begin {
		s.inner = s.inner[1:]
	}
	inner := 0
	for inner < len(s.inner) && s.inner[inner] < offset {
		inner++
	}
	return source.Place{File: s.name, Line: s.line, Column: int(offset-s.begin) - inner + 1}
}

// Fault is one thing that is wrong in a tuple file, with its place.
func Fault(at source.Place, format string, args ...any) error {
	return &source.Diagnostic{Code: "bad_tuple", Place: at, Width: 1, Message: fmt.Sprintf(format, args...)}
}

// ReadYAML reads a YAML file whole, up to MaxYAMLBytes.
func ReadYAML(name string, r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxYAMLBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	at := source.Place{File: name, Line: 1, Column: 1}
	if len(text) > MaxYAMLBytes {
		return nil, Fault(at, "a YAML file of more than %d bytes is too large: convert it to a format that is read as a stream", MaxYAMLBytes)
	}
	if !utf8.Valid(text) {
		return nil, Fault(at, "the file is not valid UTF-8")
	}
	return text, nil
}

// YAMLFault gives an error of the YAML reader its line.
func YAMLFault(name string, err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	at := source.Place{File: name, Line: 1, Column: 1}
	if _, scanErr := fmt.Sscanf(message, "line %d:", &at.Line); scanErr == nil {
		_, message, _ = strings.Cut(message, ": ")
	}
	return Fault(at, "the YAML cannot be read: %s", message)
}

// StreamFault gives an error of a decoder over a stream a place, unless it is
// the file's own.
func (s *Stream) StreamFault(offset int64, err error) error {
	var d *source.Diagnostic
	if errors.As(err, &d) {
		return err
	}
	if errors.Is(err, ErrTupleTooLong) {
		return Fault(s.Place(offset), "%v", ErrTupleTooLong)
	}
	return Fault(s.Place(offset), "%s", strings.TrimPrefix(err.Error(), "jsontext: "))
}
