package command

import (
	"fmt"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Op says what an Operation does.
type Op uint8

const (
	Create Op = 1 + iota // the tuple must not exist
	Touch                // the tuple exists afterwards, with these attributes
	Delete               // the tuple is absent afterwards; that it was absent before is no fault
)

// String returns the word that the API uses.
func (o Op) String() string {
	switch o {
	case Create:
		return "create"
	case Touch:
		return "touch"
	case Delete:
		return "delete"
	}
	return fmt.Sprintf("op(%d)", uint8(o))
}

// Operation is one change to one tuple. Delete reads the key alone.
type Operation struct {
	Op    Op
	Tuple tuple.Tuple
}

// Must says what a Precondition demands.
type Must uint8

const (
	Match     Must = 1 + iota // a tuple that the filter selects exists
	NotMatch                  // none exists
	Unchanged                 // none was written or removed after Since
)

// Precondition is judged before the write, at the write's log time: a tuple that
// has expired by then does not match.
type Precondition struct {
	Filter tuple.Filter // the zero filter selects the whole store
	Must   Must
	Since  tuple.Revision // Unchanged: nothing after this revision
}

// Write changes tuples: all of it or nothing. First the filter deletes, then the
// operations apply.
type Write struct {
	Operations    []Operation
	DeleteFilter  *tuple.Filter
	Preconditions []Precondition

	// IdempotencyKey makes a repeated write answer what the first one answered;
	// "" is none. BodyDigest tells a repetition from another write under the same key.
	IdempotencyKey string
	BodyDigest     [32]byte
	// FirstTried is a revision at or before the first attempt with this key, 0
	// when unknown. Where the memory of keys no longer reaches back that far, the
	// write is rejected: it may have happened.
	FirstTried tuple.Revision
}

// Kind returns KindWrite.
func (*Write) Kind() Kind { return KindWrite }

func (w *Write) encode(e *encoder) error {
	e.uint(uint64(len(w.Operations)))
	for i, o := range w.Operations {
		if o.Op < Create || o.Op > Delete {
			return fmt.Errorf("operation %d is neither create, touch nor delete", i)
		}
		e.byte(byte(o.Op))
		e.tuple(o.Tuple)
	}
	e.bool(w.DeleteFilter != nil)
	if w.DeleteFilter != nil {
		e.filter(*w.DeleteFilter)
	}
	e.uint(uint64(len(w.Preconditions)))
	for i, p := range w.Preconditions {
		if p.Must < Match || p.Must > Unchanged {
			return fmt.Errorf("precondition %d is neither match, not match nor unchanged", i)
		}
		e.filter(p.Filter)
		e.byte(byte(p.Must))
		e.uint(uint64(p.Since))
	}
	e.string(w.IdempotencyKey)
	if w.IdempotencyKey != "" {
		e.raw(w.BodyDigest[:])
		e.uint(uint64(w.FirstTried))
	}
	return nil
}

func (w *Write) decode(d *decoder) {
	w.Operations = list(d, func() Operation {
		o := Operation{Op: Op(d.byte()), Tuple: d.tuple()}
		if o.Op < Create || o.Op > Delete {
			d.fail("unknown operation %d", o.Op)
		}
		return o
	})
	if d.bool() {
		f := d.filter()
		w.DeleteFilter = &f
	}
	w.Preconditions = list(d, func() Precondition {
		p := Precondition{Filter: d.filter(), Must: Must(d.byte()), Since: tuple.Revision(d.uint())}
		if p.Must < Match || p.Must > Unchanged {
			d.fail("unknown precondition %d", p.Must)
		}
		return p
	})
	w.IdempotencyKey = d.string()
	if w.IdempotencyKey != "" {
		copy(w.BodyDigest[:], d.raw(len(w.BodyDigest)))
		w.FirstTried = tuple.Revision(d.uint())
	}
}

// Import is one chunk of a bulk load: every tuple is touched. A chunk that is
// sent twice changes nothing the second time.
type Import struct {
	Tuples []tuple.Tuple
}

// Kind returns KindImport.
func (*Import) Kind() Kind { return KindImport }

func (i *Import) encode(e *encoder) error {
	e.uint(uint64(len(i.Tuples)))
	for _, t := range i.Tuples {
		e.tuple(t)
	}
	return nil
}

func (i *Import) decode(d *decoder) { i.Tuples = list(d, d.tuple) }

// CollectExpired removes tuples that have expired at the entry's log time, the
// longest expired first, at most Limit of them. Result.More says that others wait.
type CollectExpired struct {
	Limit uint32
}

// Kind returns KindCollectExpired.
func (*CollectExpired) Kind() Kind { return KindCollectExpired }

func (c *CollectExpired) encode(e *encoder) error { e.uint(uint64(c.Limit)); return nil }
func (c *CollectExpired) decode(d *decoder)       { c.Limit = d.uint32() }

// ResolveQuarantine takes tuples out of quarantine: back among the live ones
// where the current schema admits them (Revive), or away for good. A tuple that
// is still not admitted, or whose key is live again, stays.
type ResolveQuarantine struct {
	Filter tuple.Filter
	Revive bool
}

// Kind returns KindResolveQuarantine.
func (*ResolveQuarantine) Kind() Kind { return KindResolveQuarantine }

func (q *ResolveQuarantine) encode(e *encoder) error {
	e.filter(q.Filter)
	e.bool(q.Revive)
	return nil
}

func (q *ResolveQuarantine) decode(d *decoder) { q.Filter, q.Revive = d.filter(), d.bool() }
