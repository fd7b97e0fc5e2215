package tuple

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxIDBytes is the longest id of an object, in bytes of UTF-8.
const MaxIDBytes = 1024

// MaxNameBytes is the longest name of a type, relation or condition.
const MaxNameBytes = 256

// SyntaxError says what is wrong with the text of a tuple, object or subject.
type SyntaxError struct {
	Text   string // the text that was read, whole
	Offset int    // where in Text, in bytes
	Reason string // what is wrong and what was expected
}

// Error returns the reason with the place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s (at byte %d of %q)", e.Reason, e.Offset, Clip(e.Text))
}

// Clip shortens a text that came from outside for a message.
func Clip(text string) string {
	const most = 200 // bytes
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Parse reads type:id#relation@subject[ with condition [{json}]][ until time].
// It splits at the first '#', then at the next '@', so an id may hold '@'. The
// time is RFC 3339.
func Parse(text string) (Tuple, error) {
	p := parser{text: text}
	head, tail := text, ""
	if i := strings.IndexByte(text, ' '); i >= 0 {
		head, tail = text[:i], text[i:]
	}
	key, err := p.key(head)
	if err != nil {
		return Tuple{}, err
	}
	t := Tuple{Key: key}
	return t, p.attributes(tail, len(head), &t)
}

// ParseKey reads type:id#relation@subject.
func ParseKey(text string) (Key, error) {
	p := parser{text: text}
	return p.key(text)
}

// ParseObject reads type:id. The wildcard is no object.
func ParseObject(text string) (Object, error) {
	p := parser{text: text}
	return p.object(text, 0)
}

// ParseSubject reads type:id, type:id#relation or type:*.
func ParseSubject(text string) (Subject, error) {
	p := parser{text: text}
	return p.subject(text, 0)
}

// ValidName says what is wrong with the name of a type (which may hold '/'),
// relation, permission or condition; nil when nothing is.
func ValidName(name string, isType bool) error {
	p := parser{text: name}
	return p.name(name, 0, isType)
}

// ValidID says what is wrong with an object's id; nil when nothing is. The lone
// wildcard passes: where it may stand is the caller's to know.
func ValidID(id string) error {
	p := parser{text: id}
	return p.id(id, 0)
}

// Validate checks the form of a key that was not parsed from text.
func (k Key) Validate() error {
	if err := ValidName(k.Object.Type, true); err != nil {
		return err
	}
	if err := ValidName(k.Relation, false); err != nil {
		return err
	}
	if err := ValidName(k.Subject.Type, true); err != nil {
		return err
	}
	if k.Subject.Relation != "" {
		if err := ValidName(k.Subject.Relation, false); err != nil {
			return err
		}
	}
	p := parser{text: k.String()}
	if k.Object.ID == Wildcard {
		return p.fail(0, "an object's id may not be the wildcard *: only a subject's may")
	}
	if k.Subject.IsWildcard() && k.Subject.IsUserset() {
		return p.fail(0, "a wildcard subject has no relation")
	}
	if err := ValidID(k.Object.ID); err != nil {
		return err
	}
	return ValidID(k.Subject.ID)
}

type parser struct{ text string }

func (p parser) fail(offset int, format string, args ...any) error {
	return &SyntaxError{Text: p.text, Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

func (p parser) key(text string) (Key, error) {
	hash := strings.IndexByte(text, '#')
	if hash < 0 {
		return Key{}, p.fail(len(text), "a tuple needs '#' and a relation behind the object: type:id#relation@subject")
	}
	at := strings.IndexByte(text[hash:], '@')
	if at < 0 {
		return Key{}, p.fail(len(text), "a tuple needs '@' and a subject behind the relation: type:id#relation@subject")
	}
	at += hash
	object, err := p.object(text[:hash], 0)
	if err != nil {
		return Key{}, err
	}
	relation := text[hash+1 : at]
	if err := p.name(relation, hash+1, false); err != nil {
		return Key{}, err
	}
	subject, err := p.subject(text[at+1:], at+1)
	if err != nil {
		return Key{}, err
	}
	return Key{Object: object, Relation: relation, Subject: subject}, nil
}

func (p parser) object(text string, offset int) (Object, error) {
	typ, id, ok := strings.Cut(text, ":")
	if !ok {
		return Object{}, p.fail(offset, "expected type:id, found %q", Clip(text))
	}
	if err := p.name(typ, offset, true); err != nil {
		return Object{}, err
	}
	if err := p.id(id, offset+len(typ)+1); err != nil {
		return Object{}, err
	}
	if id == Wildcard {
		return Object{}, p.fail(offset+len(typ)+1, "an object's id may not be the wildcard *: only a subject's may")
	}
	return Object{Type: typ, ID: id}, nil
}

func (p parser) subject(text string, offset int) (Subject, error) {
	head, relation, isUserset := strings.Cut(text, "#")
	typ, id, ok := strings.Cut(head, ":")
	if !ok {
		return Subject{}, p.fail(offset, "expected a subject (type:id, type:id#relation or type:*), found %q", Clip(text))
	}
	if err := p.name(typ, offset, true); err != nil {
		return Subject{}, err
	}
	if err := p.id(id, offset+len(typ)+1); err != nil {
		return Subject{}, err
	}
	if !isUserset {
		return Subject{Type: typ, ID: id}, nil
	}
	if id == Wildcard {
		return Subject{}, p.fail(offset+len(head), "a wildcard subject has no relation")
	}
	if err := p.name(relation, offset+len(head)+1, false); err != nil {
		return Subject{}, err
	}
	return Subject{Type: typ, ID: id, Relation: relation}, nil
}

// attributes reads what stands behind the key: " with name {json}", " until time".
func (p parser) attributes(tail string, offset int, t *Tuple) error {
	rest := tail
	at := func() int { return offset + len(tail) - len(rest) }
	word := func() string {
		rest = strings.TrimLeft(rest, " \t")
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		w := rest[:end]
		rest = rest[end:]
		return w
	}
	next := word()
	if next == "with" {
		name := word()
		if err := p.name(name, at()-len(name), false); err != nil {
			return err
		}
		t.Condition.Name = name
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, "{") {
			length, err := contextLength(rest)
			if err != nil {
				return p.fail(at(), "the context of condition %s: %v", name, err)
			}
			if t.Condition.Context, err = CanonicalContext([]byte(rest[:length])); err != nil {
				return p.fail(at(), "the context of condition %s: %v", name, err)
			}
			rest = rest[length:]
		}
		next = word()
	}
	if next == "until" {
		text := word()
		expires, err := ParseTime(text)
		if err != nil {
			return p.fail(at()-len(text), "%v", err)
		}
		t.Expires = expires
		next = word()
	}
	if next != "" {
		return p.fail(at()-len(next), "unexpected %q: a tuple ends in [ with condition {json}] [ until time]", Clip(next))
	}
	return nil
}

// ParseTime reads an instant as RFC 3339 has it, with a zone: 2030-01-01T00:00:00Z.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time as RFC 3339 has it, like 2030-01-01T00:00:00Z", Clip(text))
	}
	if t.Before(minTime) || t.After(maxTime) {
		return time.Time{}, fmt.Errorf("the time %q is outside 1970 to 2553", Clip(text))
	}
	return t.UTC(), nil
}

// Instants of expiry are kept as unsigned Unix nanoseconds in 64 bits.
var (
	minTime = time.Unix(0, 1)
	maxTime = time.Date(2553, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Nanoseconds returns an instant that ParseTime could have read as Unix
// nanoseconds. They are unsigned: signed ones would end in 2262, and an expiry
// that is meant to be never is often written as a year beyond it.
func Nanoseconds(t time.Time) uint64 {
	return uint64(t.Unix())*uint64(time.Second) + uint64(t.Nanosecond())
}

// Instant returns the time of so many Unix nanoseconds, in UTC.
func Instant(nanoseconds uint64) time.Time {
	return time.Unix(int64(nanoseconds/uint64(time.Second)), int64(nanoseconds%uint64(time.Second))).UTC()
}

func (p parser) name(name string, offset int, isType bool) error {
	what := "a relation or condition"
	if isType {
		what = "a type"
	}
	if name == "" {
		return p.fail(offset, "expected the name of %s", what)
	}
	if len(name) > MaxNameBytes {
		return p.fail(offset, "the name of %s has %d bytes, %d are the most", what, len(name), MaxNameBytes)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		inner := i > 0 && i < len(name)-1
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_':
		case c == '-' && inner, c == '/' && inner && isType:
		default:
			r, _ := utf8.DecodeRuneInString(name[i:])
			return p.fail(offset+i, "%q may not stand here in the name of %s", r, what)
		}
	}
	return nil
}

// plainID says whether an id has nothing but ASCII that may stand in it, as most have.
func plainID(id string) bool {
	for i := range len(id) {
		if !plainByte[id[i]] {
			return false
		}
	}
	return true
}

var plainByte = func() (plain [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		plain[c] = c != ':' && c != '#'
	}
	return plain
}()

func (p parser) id(id string, offset int) error {
	if id == "" {
		return p.fail(offset, "expected an id")
	}
	if len(id) > MaxIDBytes {
		return p.fail(offset, "the id has %d bytes, %d are the most", len(id), MaxIDBytes)
	}
	if plainID(id) {
		return nil
	}
	for i, r := range id {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(id[i:]); size == 1 {
				return p.fail(offset+i, "the id is not valid UTF-8")
			}
		}
		if r == ':' || r == '#' || unicode.IsSpace(r) || unicode.IsControl(r) {
			return p.fail(offset+i, "%q may not stand in an id", r)
		}
	}
	return nil
}
