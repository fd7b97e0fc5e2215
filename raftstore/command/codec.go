package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// ErrMalformed is what every decoding error of damaged bytes wraps.
var ErrMalformed = errors.New("malformed command")

// encoder appends fields. Numbers are unsigned varints in their shortest form,
// strings and lists carry their length in front.
type encoder struct {
	b   []byte
	err error // the first value that has no encoding
}

func (e *encoder) byte(b byte)     { e.b = append(e.b, b) }
func (e *encoder) uint(n uint64)   { e.b = binary.AppendUvarint(e.b, n) }
func (e *encoder) raw(b []byte)    { e.b = append(e.b, b...) }
func (e *encoder) bytes(b []byte)  { e.uint(uint64(len(b))); e.raw(b) }
func (e *encoder) string(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

func (e *encoder) bool(b bool) {
	if b {
		e.byte(1)
		return
	}
	e.byte(0)
}

// instant writes 0 for the zero time, else Unix nanoseconds, which reach from
// 1970 to 2554.
func (e *encoder) instant(t time.Time) {
	switch {
	case t.IsZero():
		e.uint(0)
	case t.Unix() < 0 || t.Unix() == 0 && t.Nanosecond() == 0 || uint64(t.Unix()) >= math.MaxUint64/uint64(time.Second):
		e.uint(0)
		if e.err == nil {
			e.err = fmt.Errorf("the time %s is outside 1970 to 2554", t.UTC().Format(time.RFC3339Nano))
		}
	default:
		e.uint(tuple.Nanoseconds(t))
	}
}

func (e *encoder) subject(s tuple.Subject) {
	e.string(s.Type)
	e.string(s.ID)
	e.string(s.Relation)
}

func (e *encoder) tuple(t tuple.Tuple) {
	e.string(t.Object.Type)
	e.string(t.Object.ID)
	e.string(t.Relation)
	e.subject(t.Subject)
	e.string(t.Condition.Name)
	e.string(string(t.Condition.Context))
	e.instant(t.Expires)
}

func (e *encoder) filter(f tuple.Filter) {
	e.string(f.ObjectType)
	e.string(f.ObjectID)
	e.string(f.Relation)
	e.string(f.Subject.Type)
	e.string(f.Subject.ID)
	e.string(f.Subject.Relation)
}

// decoder reads fields. The first fault sticks: later reads give zero values.
type decoder struct {
	b   []byte
	at  int
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: at byte %d: %s", ErrMalformed, d.at, fmt.Sprintf(format, args...))
	}
}

func (d *decoder) rest() int { return len(d.b) - d.at }

func (d *decoder) byte() byte {
	if d.err != nil || d.rest() < 1 {
		d.fail("the bytes end early")
		return 0
	}
	d.at++
	return d.b[d.at-1]
}

func (d *decoder) bool() bool {
	b := d.byte()
	if b > 1 {
		d.fail("a flag is 0 or 1, found %d", b)
	}
	return b == 1
}

// uint refuses a varint that is longer than need be, so that a value has one
// encoding only.
func (d *decoder) uint() uint64 {
	if d.err != nil {
		return 0
	}
	n, size := binary.Uvarint(d.b[d.at:])
	if size <= 0 || size > 1 && d.b[d.at+size-1] == 0 {
		d.fail("expected a number")
		return 0
	}
	d.at += size
	return n
}

func (d *decoder) uint32() uint32 {
	n := d.uint()
	if n > 1<<32-1 {
		d.fail("the number %d is over 32 bits", n)
		return 0
	}
	return uint32(n)
}

// count reads the length of a list whose elements take at least one byte each,
// so that a length that the bytes cannot hold is refused before memory is taken.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(d.rest()) {
		d.fail("a list of %d does not fit the %d bytes left", n, d.rest())
		return 0
	}
	return int(n)
}

func (d *decoder) raw(n int) []byte {
	if d.err != nil || n > d.rest() {
		d.fail("the bytes end early")
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) bytes() []byte  { return d.raw(d.count()) }
func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) instant() time.Time {
	n := d.uint()
	if n == 0 {
		return time.Time{}
	}
	return tuple.Instant(n)
}

func (d *decoder) subject() tuple.Subject {
	return tuple.Subject{Type: d.string(), ID: d.string(), Relation: d.string()}
}

func (d *decoder) tuple() tuple.Tuple {
	var t tuple.Tuple
	t.Object = tuple.Object{Type: d.string(), ID: d.string()}
	t.Relation = d.string()
	t.Subject = d.subject()
	t.Condition = tuple.Condition{Name: d.string(), Context: tuple.Context(d.string())}
	t.Expires = d.instant()
	return t
}

func (d *decoder) filter() tuple.Filter {
	f := tuple.Filter{ObjectType: d.string(), ObjectID: d.string(), Relation: d.string()}
	f.Subject = tuple.SubjectFilter{Type: d.string(), ID: d.string(), Relation: d.string()}
	return f
}

// list reads a list. It grows as elements arrive: a false length costs nothing.
func list[T any](d *decoder, element func() T) []T {
	n := d.count()
	var out []T
	for i := 0; i < n && d.err == nil; i++ {
		out = append(out, element())
	}
	return out
}
