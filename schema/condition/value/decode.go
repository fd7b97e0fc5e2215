package value

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// MismatchError says why a JSON value is none of a parameter's type. It shows
// the kind of the value and never the value itself, which may be a secret.
type MismatchError struct {
	Type   string // the type that was expected, as the schema writes it
	Kind   string // what was found: null, boolean, number, string, array, object, or "no JSON"
	Path   string // where inside the value, like [2].name; "" for the value itself
	Reason string // what the type takes, or what is wrong with the value
}

// Error names what was expected and what was found.
func (e *MismatchError) Error() string {
	where := ""
	if e.Path != "" {
		where = " at " + e.Path
	}
	return fmt.Sprintf("expected %s, found %s%s: %s", e.Type, e.Kind, where, e.Reason)
}

// CheckValue says why a JSON value is none of a type; nil when it is one. The
// error is a *MismatchError, or a *TypeError where the type itself is none.
func CheckValue(paramType string, raw []byte) error {
	t, err := ParseType(paramType)
	if err != nil {
		return err
	}
	_, err = t.Decode(raw)
	return err
}

// Decode turns one JSON value into the Go value of the type (see the package's
// table). It refuses duplicate names, invalid UTF-8, text behind the value and
// nesting deeper than tuple.MaxContextDepth. The error is a *MismatchError.
func (t *Type) Decode(raw []byte) (any, error) {
	d := decoder{dec: jsontext.NewDecoder(bytes.NewReader(raw))}
	v, err := d.value(t)
	if err != nil {
		return nil, err
	}
	if _, err := d.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, &MismatchError{Type: t.String(), Kind: noJSON, Reason: "there is text behind the value"}
	}
	return v, nil
}

const noJSON = "no JSON"

type decoder struct {
	dec  *jsontext.Decoder
	path []string
}

func (d *decoder) fail(t *Type, kind, format string, args ...any) error {
	return &MismatchError{Type: t.String(), Kind: kind, Path: strings.Join(d.path, ""), Reason: fmt.Sprintf(format, args...)}
}

func (d *decoder) value(t *Type) (any, error) {
	switch kind := d.dec.PeekKind(); {
	case kind == '[' && (t.Kind == List || t.Kind == Any):
		return d.list(t)
	case kind == '{' && (t.Kind == Map || t.Kind == Any):
		return d.object(t)
	case kind == '[' || kind == '{':
		return nil, d.fail(t, kindName(kind), "%s", takes(t.Kind))
	}
	token, err := d.dec.ReadToken()
	if err != nil {
		return nil, d.broken(t, err)
	}
	kind := token.Kind()
	switch kind {
	case '"':
		return d.fromString(t, token.String())
	case '0':
		return d.fromNumber(t, token.String(), kindName(kind))
	case 't', 'f':
		if t.Kind == Bool || t.Kind == Any {
			return token.Bool(), nil
		}
	case 'n':
		if t.Kind == Any {
			return nil, nil
		}
	}
	return nil, d.fail(t, kindName(kind), "%s", takes(t.Kind))
}

// broken reports JSON that is none. The text of the decoder's error is left out,
// for it may quote the value.
func (d *decoder) broken(t *Type, err error) error {
	reason := "the text is not valid JSON"
	if errors.Is(err, jsontext.ErrDuplicateName) {
		reason = "a name stands twice in one object"
	}
	return d.fail(t, noJSON, "%s", reason)
}

func (d *decoder) list(t *Type) (any, error) {
	element := t.Element
	if t.Kind == Any {
		element = t
	}
	if err := d.open(t); err != nil {
		return nil, err
	}
	list := []any{}
	for d.dec.PeekKind() != ']' {
		d.path = append(d.path, "["+strconv.Itoa(len(list))+"]")
		v, err := d.value(element)
		if err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
		list = append(list, v)
	}
	return list, d.close(t)
}

func (d *decoder) object(t *Type) (any, error) {
	element := t.Element
	if t.Kind == Any {
		element = t
	}
	if err := d.open(t); err != nil {
		return nil, err
	}
	object := map[string]any{}
	for d.dec.PeekKind() != '}' {
		name, err := d.dec.ReadToken()
		if err != nil {
			return nil, d.broken(t, err)
		}
		key := name.String()
		d.path = append(d.path, "."+tuple.Clip(key))
		if object[key], err = d.value(element); err != nil {
			return nil, err
		}
		d.path = d.path[:len(d.path)-1]
	}
	return object, d.close(t)
}

func (d *decoder) open(t *Type) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return d.broken(t, err)
	}
	if d.dec.StackDepth() > tuple.MaxContextDepth {
		return d.fail(t, noJSON, "it is nested deeper than %d", tuple.MaxContextDepth)
	}
	return nil
}

func (d *decoder) close(t *Type) error {
	if _, err := d.dec.ReadToken(); err != nil {
		return d.broken(t, err)
	}
	return nil
}

func (d *decoder) fromNumber(t *Type, text, kind string) (any, error) {
	switch t.Kind {
	case Int:
		if n, ok := wholeInt(text); ok {
			return n, nil
		}
	case Uint:
		if n, ok := wholeUint(text); ok {
			return n, nil
		}
	case Double:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f, nil
		}
	case Any:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			break
		}
		if !strings.ContainsAny(text, ".eE") && !exact(f, text) {
			return nil, d.fail(t, kind, "numbers in any are doubles, which cannot hold this whole number exactly: declare the parameter int or uint")
		}
		return f, nil
	}
	return nil, d.fail(t, kind, "%s", takes(t.Kind))
}

func exact(f float64, digits string) bool {
	if math.Abs(f) < 1<<53 {
		return true
	}
	return strconv.FormatFloat(f, 'f', 0, 64) == digits
}

func (d *decoder) fromString(t *Type, text string) (any, error) {
	reason := takes(t.Kind)
	switch t.Kind {
	case String, Any:
		return text, nil
	case Int, Uint, Double:
		if isNumber(text) {
			return d.fromNumber(t, text, "string")
		}
	case Bytes:
		if b, ok := fromBase64(text); ok {
			return b, nil
		}
	case Duration:
		if dur, err := time.ParseDuration(text); err == nil {
			return dur, nil
		}
	case Timestamp:
		if at, ok := parseTimestamp(text); ok {
			return at, nil
		}
	case IPAddress:
		if ip, err := ParseIP(text); err == nil {
			return ip, nil
		}
	}
	return nil, d.fail(t, "string", "%s", reason)
}

// parseTimestamp reads an instant of the years 1 to 9999, which is what CEL's
// timestamps hold. RFC 3339 has two digits for the hour and a point before the
// fraction; time.Parse takes other forms too.
func parseTimestamp(text string) (time.Time, bool) {
	if len(text) < len("2030-01-01T00:00:00Z") || text[13] != ':' || text[16] != ':' || !strings.ContainsRune(".Z+-", rune(text[19])) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	at = at.UTC()
	return at, err == nil && at.Year() >= 1 && at.Year() <= 9999
}

// ParseIP reads an address, without a zone. An IPv4 address that is written as
// IPv6 (::ffff:10.0.0.1) is the IPv4 address, so that it cannot step around a range.
func ParseIP(text string) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, errors.New("this is no IP address, like 10.1.2.3 or 2001:db8::1")
	}
	if ip.Zone() != "" {
		return netip.Addr{}, errors.New("an IP address may have no zone")
	}
	return ip.Unmap(), nil
}

func fromBase64(text string) ([]byte, bool) {
	text = strings.TrimRight(text, "=")
	if strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	b, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		b, err = base64.RawURLEncoding.DecodeString(text)
	}
	return b, err == nil
}
