package state

import (
	"fmt"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// validForm checks the form of a tuple as far as keys depend on it. It reads
// bytes alone: what counts as white space in Unicode changes with the build, and
// who proposes has checked that.
func validForm(t tuple.Tuple) error {
	switch {
	case t.Object.Type == "" || t.Relation == "" || t.Subject.Type == "":
		return fmt.Errorf("%s: %w", tuple.Clip(t.Key.String()), errForm)
	case t.Object.ID == tuple.Wildcard:
		return fmt.Errorf("%s: an object's id may not be the wildcard *: only a subject's may", tuple.Clip(t.Key.String()))
	case t.Subject.IsWildcard() && t.Subject.IsUserset():
		return fmt.Errorf("%s: a wildcard subject has no relation", tuple.Clip(t.Key.String()))
	case len(t.Condition.Context) > tuple.MaxContextBytes:
		return fmt.Errorf("%s: the context has %d bytes, %d are the most", tuple.Clip(t.Key.String()), len(t.Condition.Context), tuple.MaxContextBytes)
	}
	for _, id := range []string{t.Object.ID, t.Subject.ID} {
		if err := validID(id); err != nil {
			return fmt.Errorf("%s: %w", tuple.Clip(t.Key.String()), err)
		}
	}
	return nil
}

func validID(id string) error {
	if id == "" {
		return errForm
	}
	if len(id) > tuple.MaxIDBytes {
		return fmt.Errorf("an id has %d bytes, %d are the most", len(id), tuple.MaxIDBytes)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("an id is not valid UTF-8")
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c <= ' ' || c == 0x7f || c == ':' || c == '#' {
			return fmt.Errorf("%q may not stand in an id", rune(c))
		}
	}
	return nil
}
