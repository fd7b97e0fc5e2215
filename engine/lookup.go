package engine

import (
	"context"
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Page asks for part of a lookup. Entries come in the order of their ids, byte
// by byte.
type Page struct {
	Limit int    // most entries; 0 is all
	After string // the Next of the page before; "" begins
}

// FoundObject is an object that the subject has the permission on.
type FoundObject struct {
	Object tuple.Object
	Answer Answer // allowed or conditional
}

// ObjectPage is a page of a lookup of objects.
type ObjectPage struct {
	Found []FoundObject
	Next  string // Page.After of the next page; "" when this is the last
}

// FoundSubject is a subject with what it has. The wildcard stands for everybody
// of its type who has no entry; where there is such an entry, a named subject
// that is Denied is excluded from it.
type FoundSubject struct {
	Subject tuple.Subject
	Answer  Answer
}

// SubjectPage is a page of a lookup of subjects.
type SubjectPage struct {
	Found []FoundSubject
	Next  string
}

// FoundPermission is what a subject has of a relation or permission of an object.
type FoundPermission struct {
	Name       string
	Permission bool // false for a relation, which tuples may write
	Answer     Answer
}

// gather takes a page's worth of a stream. After it names the last entry, as
// long as there is another one.
func gather[T any](stream iter.Seq2[T, error], limit int, id func(T) string) (found []T, next string, err error) {
	for entry, err := range stream {
		if err != nil {
			return nil, "", err
		}
		if limit > 0 && len(found) == limit {
			return found, id(found[limit-1]), nil
		}
		found = append(found, entry)
	}
	return found, "", nil
}

// stream yields what a lookup finds, one by one; an error ends it.
func stream[T any](ctx context.Context, v View, lookup func(e *evaluation, yield func(T, error) bool) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		e, err := begin(ctx, &v)
		if err == nil {
			err = lookup(e, yield)
			e.end()
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}
