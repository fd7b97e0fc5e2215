package tuple

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxContextBytes is the longest context of a tuple in canonical form.
const MaxContextBytes = 16 << 10

// MaxContextDepth is the deepest nesting of a context, in objects and arrays.
const MaxContextDepth = 32

// CanonicalContext checks that text is one JSON object (no duplicate names, valid
// UTF-8, at most MaxContextDepth deep) and returns it in canonical form. An
// empty object is no context at all: "".
func CanonicalContext(text []byte) (Context, error) {
	v := jsontext.Value(bytes.Clone(text))
	if v.Kind() != '{' {
		return "", errors.New("a context is a JSON object: {\"name\": value}")
	}
	if err := checkDepth(text); err != nil {
		return "", err
	}
	err := v.Format(jsontext.ReorderRawObjects(true), jsontext.CanonicalizeRawInts(false),
		jsontext.CanonicalizeRawFloats(false), jsontext.Multiline(false), jsontext.SpaceAfterColon(false),
		jsontext.SpaceAfterComma(false), jsontext.PreserveRawStrings(false))
	if err != nil {
		return "", invalidJSON(err)
	}
	if string(v) == "{}" {
		return "", nil
	}
	if len(v) > MaxContextBytes {
		return "", fmt.Errorf("the context has %d bytes, %d are the most", len(v), MaxContextBytes)
	}
	return Context(v), nil
}

// invalidJSON says of text what the decoder says, without the decoder's name.
func invalidJSON(err error) error {
	return fmt.Errorf("the context is not valid JSON: %s", strings.TrimPrefix(err.Error(), "jsontext: "))
}

// checkDepth reads text to its end and refuses deep nesting.
func checkDepth(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := dec.ReadToken(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return invalidJSON(err)
		}
		if dec.StackDepth() > MaxContextDepth {
			return fmt.Errorf("the context is nested deeper than %d", MaxContextDepth)
		}
	}
}

// contextLength returns how many bytes of text its first JSON value takes.
func contextLength(text string) (int, error) {
	dec := jsontext.NewDecoder(bytes.NewReader([]byte(text)))
	if _, err := dec.ReadValue(); err != nil {
		return 0, err
	}
	return int(dec.InputOffset()), nil
}
