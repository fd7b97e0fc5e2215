package openfga

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// readTuplesJSON reads tuples from JSON: a list of them, one after the other, or
// inside the bodies of OpenFGA's read and write requests.
func readTuplesJSON(name string, r io.Reader, yield func(dialect.Placed, error) bool) {
	stream := dialect.NewStream(name, r)
	j := &tupleReader{stream: stream, dec: jsontext.NewDecoder(stream), yield: yield}
	for {
		err := j.top()
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, errStop):
			return
		case err != nil:
			yield(dialect.Placed{}, stream.StreamFault(j.dec.InputOffset(), err))
			return
		}
	}
}

type tupleReader struct {
	stream *dialect.Stream
	dec    *jsontext.Decoder
	yield  func(dialect.Placed, error) bool
}

// place returns where a token of so many bytes begins that was just read.
func (j *tupleReader) place(length int) source.Place {
	return j.stream.Place(j.dec.InputOffset() - int64(length))
}

// refuse yields a fault and goes on.
func (j *tupleReader) refuse(at source.Place, format string, args ...any) error {
	if !j.yield(dialect.Placed{}, dialect.Fault(at, format, args...)) {
		return errStop
	}
	return nil
}

// top reads one value: a list, a tuple, or an object around a list.
func (j *tupleReader) top() error {
	j.stream.Next()
	switch kind := j.dec.PeekKind(); kind {
	case '[':
		return j.list()
	case '{':
		return j.object()
	default:
		if _, err := j.dec.ReadToken(); err != nil {
			return err
		}
		return fmt.Errorf("expected a tuple {\"user\": …, \"relation\": …, \"object\": …} or a list of them")
	}
}

// list reads a list of tuples.
func (j *tupleReader) list() error {
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	for j.dec.PeekKind() != ']' {
		j.stream.Next()
		if j.dec.PeekKind() != '{' {
			if _, err := j.dec.ReadToken(); err != nil {
				return err
			}
			return fmt.Errorf("expected a tuple {\"user\": …, \"relation\": …, \"object\": …}")
		}
		if err := j.object(); err != nil {
			return err
		}
	}
	_, err := j.dec.ReadToken()
	return err
}

// object reads a tuple, a tuple with its key and timestamp, or an object that
// holds a list of tuples.
func (j *tupleReader) object() error {
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	at := j.place(1)
	var k key
	var isTuple, isKey, refused bool
	for j.dec.PeekKind() != '}' {
		field, err := j.dec.ReadToken()
		if err != nil {
			return err
		}
		switch field := field.String(); field {
		case "user", "relation", "object":
			isTuple = true
			if err := j.str(field, k.field(field)); err != nil {
				return err
			}
		case "condition":
			isTuple = true
			if err := j.condition(&k); err != nil {
				return err
			}
		case "key":
			isKey = true
			err = j.nested()
		case "timestamp":
			err = j.dec.SkipValue()
		case "tuples", "tuple_keys":
			isKey = true
			err = j.lists()
		case "writes":
			isKey = true
			err = j.nested()
		case "on_duplicate", "authorization_model_id":
			err = j.dec.SkipValue()
		case "continuation_token":
			err = j.token()
		default:
			refused = true
			if err := j.refuse(j.place(len(field)+2), "unknown field %q: a tuple has user, relation, object and condition", tuple.Clip(field)); err != nil {
				return err
			}
			err = j.dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	if refused || isKey && !isTuple {
		return nil
	}
	t, err := k.tuple(at)
	if !j.yield(t, err) {
		return errStop
	}
	return nil
}

// field returns where a field of a tuple is kept.
func (k *key) field(name string) *string {
	switch name {
	case "user":
		return &k.user
	case "relation":
		return &k.relation
	}
	return &k.object
}

func (j *tupleReader) str(field string, to *string) error {
	t, err := j.dec.ReadToken()
	if err != nil {
		return err
	}
	if t.Kind() != '"' {
		return fmt.Errorf("%s must be a string", field)
	}
	*to = t.String()
	return nil
}

// nested reads an object that is the key of a tuple, or holds a list of them.
func (j *tupleReader) nested() error {
	if j.dec.PeekKind() != '{' || j.dec.StackDepth() > 4 {
		return errors.New("expected an object")
	}
	return j.object()
}

func (j *tupleReader) lists() error {
	if j.dec.PeekKind() != '[' || j.dec.StackDepth() > 4 {
		return errors.New("expected a list of tuples")
	}
	return j.list()
}

// condition reads {"name": …, "context": {…}}, or null.
func (j *tupleReader) condition(k *key) error {
	if j.dec.PeekKind() == 'n' {
		return j.dec.SkipValue()
	}
	if j.dec.PeekKind() != '{' {
		return errors.New("condition must be an object with name and context")
	}
	if _, err := j.dec.ReadToken(); err != nil {
		return err
	}
	for j.dec.PeekKind() != '}' {
		field, err := j.dec.ReadToken()
		if err != nil {
			return err
		}
		switch field := field.String(); field {
		case "name":
			err = j.str("the condition's name", &k.condition)
		case "context":
			if j.dec.PeekKind() == 'n' {
				err = j.dec.SkipValue()
				break
			}
			var value jsontext.Value
			value, err = j.dec.ReadValue()
			k.context = value.Clone()
		default:
			return fmt.Errorf("a condition has no field %q: it has name and context", tuple.Clip(field))
		}
		if err != nil {
			return err
		}
	}
	_, err := j.dec.ReadToken()
	return err
}

// token refuses a page that others follow: the file holds only part of the tuples.
func (j *tupleReader) token() error {
	t, err := j.dec.ReadToken()
	if err != nil {
		return err
	}
	at := j.place(len(t.String()) + 2)
	if t.Kind() == '"' && t.String() != "" {
		return j.refuse(at, "the file is one page of several: read the others too, with the continuation token")
	}
	return nil
}
