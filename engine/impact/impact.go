// Package impact says what a change of schema does to live tuples: which of them
// the new schema no longer admits, and which decisions flip. Call Compare.
package impact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/memory"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Change is a change of schema over live tuples.
type Change struct {
	Before *schema.Schema
	After  *schema.Module
	Tuples iter.Seq2[tuple.Tuple, error] // the live tuples, each once
	Now    time.Time                     // the instant that expiry and now() are judged at
	Limits Limits
}

// Limits bounds a comparison. Past one it is an error, never a shorter report.
type Limits struct {
	Tuples int // most live tuples; 0 is DefaultTuples
	Nodes  int // most pairs evaluated per lookup; 0 is the engine's default
}

// DefaultTuples is the bound where Limits says nothing: both graphs are held in
// memory while they are compared.
const DefaultTuples = 500_000

// ErrTooLarge says that there are more live tuples than a comparison may hold.
var ErrTooLarge = errors.New("too many live tuples to compare decisions")

// Orphan is a live tuple that the new schema does not admit.
type Orphan struct {
	Tuple   tuple.Tuple
	Code    schema.RefusalCode
	Message string
}

// Flip is a decision that differs: the subject's outcome on the object before
// and after. The subject type:* stands for everybody of its type who has no
// decision of their own.
type Flip struct {
	Object     tuple.Object
	Permission string
	Subject    tuple.Subject
	Before     engine.Outcome
	After      engine.Outcome
}

// Comparison holds both sides of a change, read once.
type Comparison struct {
	Orphans []Orphan // in the order of the tuples

	before, after engine.View
	objects       []tuple.Object
	affected      schema.Affected
}

// Compare reads the live tuples and finds the orphans; Flips then finds the
// decisions. The orphans count as gone after the change.
func Compare(ctx context.Context, c Change) (*Comparison, error) {
	limit := c.Limits.Tuples
	if limit == 0 {
		limit = DefaultTuples
	}
	result := &Comparison{affected: schema.AffectedBy(c.Before, c.After.Schema)}
	var live []tuple.Tuple
	objects := map[tuple.Object]bool{}
	for t, err := range c.Tuples {
		if err := cmp.Or(err, context.Cause(ctx)); err != nil {
			return nil, err
		}
		if len(live) == limit {
			return nil, fmt.Errorf("%w: there are more than %d", ErrTooLarge, limit)
		}
		live = append(live, t)
		objects[t.Object] = true
		if !t.Subject.IsWildcard() {
			objects[t.Subject.Object()] = true
		}
	}
	var kept []tuple.Tuple
	kept, result.Orphans = separate(live, c.After.Admitter)
	for _, s := range []*schema.Schema{c.Before, c.After.Schema} {
		for _, t := range s.Types {
			if t.Singleton != "" {
				objects[tuple.Object{Type: t.Name, ID: t.Singleton}] = true
			}
		}
	}
	for o := range objects {
		result.objects = append(result.objects, o)
	}
	slices.SortFunc(result.objects, tuple.Object.Compare)
	var err error
	if result.before, err = view(c.Before, live, c); err != nil {
		return nil, err
	}
	result.after, err = view(c.After.Schema, kept, c)
	return result, err
}

func view(s *schema.Schema, tuples []tuple.Tuple, c Change) (engine.View, error) {
	reader, err := memory.New(s, tuples)
	return engine.View{Schema: s, Reader: reader, Now: c.Now, Limits: engine.Limits{Nodes: c.Limits.Nodes}}, err
}

// separate tells the tuples that stay from the orphans. Where a userset has more
// tuples than "at most" now allows, none has a better right than another: all of
// them are orphans.
func separate(live []tuple.Tuple, admitter *schema.Admitter) (kept []tuple.Tuple, orphans []Orphan) {
	type userset struct {
		object   tuple.Object
		relation string
	}
	count := map[userset]int{}
	refused := make([]*schema.Refusal, len(live))
	for i, t := range live {
		if refused[i] = admitter.Admit(t); refused[i] == nil {
			count[userset{t.Object, t.Relation}]++
		}
	}
	for i, t := range live {
		if refused[i] != nil {
			orphans = append(orphans, Orphan{t, refused[i].Code, refused[i].Error()})
			continue
		}
		most := admitter.Relation(t.Object.Type, t.Relation).AtMost
		if n := count[userset{t.Object, t.Relation}]; most > 0 && n > most {
			orphans = append(orphans, Orphan{t, schema.CodeAtMost,
				fmt.Sprintf("%s: %s#%s has %d subjects, and at most %d from now on", t.Key, t.Object, t.Relation, n, most)})
			continue
		}
		kept = append(kept, t)
	}
	return kept, orphans
}
