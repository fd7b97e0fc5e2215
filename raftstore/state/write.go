package state

import (
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// writeTuples judges a write: preconditions, the filter's deletions, then the
// operations, each seeing the ones before it; limits at the end.
func (a *applier) writeTuples(st *store, w *command.Write, res *command.Result) error {
	if w.IdempotencyKey != "" {
		done, err := a.replay(st, w, res)
		if done || err != nil {
			return err
		}
	}
	if err := knownNames(st, w); err != nil {
		return err
	}
	for i, p := range w.Preconditions {
		if err := a.precondition(st, i, p); err != nil {
			return err
		}
	}
	if w.DeleteFilter != nil {
		if err := a.deleteSelected(st, *w.DeleteFilter, res); err != nil {
			return err
		}
	}
	o := operations{a: a, st: st, res: res, seen: make(map[tuple.Key]int, len(w.Operations))}
	for i, op := range w.Operations {
		if err := o.apply(i, op); err != nil {
			return err
		}
	}
	if err := o.finish(); err != nil {
		return err
	}
	if w.IdempotencyKey != "" {
		k := keyRecord{Store: st.id, Key: w.IdempotencyKey, Body: w.BodyDigest,
			Created: res.Created, Updated: res.Updated, Deleted: res.Deleted}
		a.keys = append(a.keys, k)
		a.s.memory.add(a.index, a.now, k)
	}
	return nil
}

// knownNames refuses filters that name what the schema lacks: they select nothing,
// and a revocation that was mistyped would look as if it had been made.
func knownNames(st *store, w *command.Write) error {
	if st.admitter == nil {
		return nil // then there are no tuples either
	}
	for i, p := range w.Preconditions {
		if refusal := st.admitter.AdmitFilter(p.Filter); refusal != nil {
			return reject(command.Code(refusal.Code), -1, refusal.Suggestion, "precondition %d: %s", i, refusal.Message)
		}
	}
	if w.DeleteFilter != nil {
		if refusal := st.admitter.AdmitFilter(*w.DeleteFilter); refusal != nil {
			return reject(command.Code(refusal.Code), -1, refusal.Suggestion, "the filter: %s", refusal.Message)
		}
	}
	return nil
}

// replay answers a write whose key is known; done says that it did. Only accepted
// writes are known: a rejected one wrote nothing and is judged afresh.
func (a *applier) replay(st *store, w *command.Write, res *command.Result) (done bool, err error) {
	known, ok := a.s.memory.find(st.id, w.IdempotencyKey)
	if !ok {
		if w.FirstTried != 0 && w.FirstTried < a.s.memory.horizon {
			return false, reject(command.CodeOutcomeUnknownExpired, -1, "read the tuples to learn whether it happened",
				"the write under this idempotency key was first tried too long ago: whether it happened is no longer known")
		}
		return false, nil
	}
	if known.Body != w.BodyDigest {
		return false, reject(command.CodeIdempotencyMismatch, -1, "use a fresh key for another write",
			"the idempotency key was used for a write with another body")
	}
	*res = command.Result{Revision: known.revision, Time: time.Unix(0, known.time).UTC(), Replayed: true,
		Created: known.Created, Updated: known.Updated, Deleted: known.Deleted}
	return true, nil
}

// importTuples touches a chunk of tuples.
func (a *applier) importTuples(st *store, c *command.Import, res *command.Result) error {
	o := operations{a: a, st: st, res: res, seen: make(map[tuple.Key]int, len(c.Tuples))}
	for i, t := range c.Tuples {
		if err := o.apply(i, command.Operation{Op: command.Touch, Tuple: t}); err != nil {
			return err
		}
	}
	return o.finish()
}

// operations judges the operations of one command.
type operations struct {
	a      *applier
	st     *store
	res    *command.Result
	seen   map[tuple.Key]int // which operation names the key
	limits []limit
	faults []command.Rejection
}

// limit is an object#relation that got a tuple and may have only so many.
type limit struct {
	operation int
	most      int
	row       row // of the tuple
	key       tuple.Key
}

// apply judges one operation. What is wrong with it is noted; an error is a fault.
func (o *operations) apply(i int, op command.Operation) error {
	t := op.Tuple
	if err := validForm(t); err != nil {
		o.fault(reject(command.CodeTupleInvalid, i, "", "%v", err))
		return nil
	}
	if first, twice := o.seen[t.Key]; twice {
		o.fault(reject(command.CodeDuplicateOperation, i, "name every tuple once",
			"the tuple %s stands twice in the request, first as operation %d", t.Key, first))
		return nil
	}
	o.seen[t.Key] = i
	if op.Op == command.Delete {
		return o.delete(i, t)
	}
	if o.st.admitter == nil {
		o.fault(reject(command.CodeSchemaMissing, i, "write a schema first", "the store %q has no schema yet", o.st.name))
		return nil
	}
	if refusal := o.st.admitter.Admit(t); refusal != nil {
		o.fault(refused(refusal, i))
		return nil
	}
	return o.write(i, op)
}

func (o *operations) write(i int, op command.Operation) error {
	a, st, t := o.a, o.st, op.Tuple
	r, ok := st.names.row(t)
	if !ok {
		return fmt.Errorf("the schema of store %d admits %s and has no numbers for it", st.id, t.Key)
	}
	oldRow, old, err := a.rowAt(prefixTuple, st, r)
	if err != nil {
		return err
	}
	live := old.present && !oldRow.expiredAt(a.now)
	if live && op.Op == command.Create {
		o.fault(reject(command.CodeTupleExists, i, "touch it instead to write it whether or not it exists",
			"the tuple %s exists already", t.Key))
		return nil
	}
	if _, err := a.release(st, r); err != nil {
		return err
	}
	if !live || r != oldRow {
		a.write(st, r, oldRow, old)
		if live {
			o.res.Updated++
		} else {
			o.res.Created++
		}
	}
	if relation := st.admitter.Relation(t.Object.Type, t.Relation); relation != nil && relation.AtMost > 0 && !live {
		o.limits = append(o.limits, limit{operation: i, most: relation.AtMost, row: r, key: t.Key})
	}
	return nil
}

// delete removes the tuple with a key. That there is none is no fault: deleting
// twice is deleting, and who needs to know adds a precondition. But a key that
// the schema could never admit is one: a revocation that misspells its relation
// must not pass for done.
func (o *operations) delete(i int, t tuple.Tuple) error {
	r, known := o.st.names.row(tuple.Tuple{Key: t.Key})
	if known {
		oldRow, old, err := o.a.rowAt(prefixTuple, o.st, r)
		if err != nil {
			return err
		}
		if old.present {
			o.a.erase(o.st, oldRow, old)
			if !oldRow.expiredAt(o.a.now) {
				o.res.Deleted++
			}
		}
		released, err := o.a.release(o.st, r)
		if err != nil || released || old.present {
			return err
		}
	}
	if o.st.admitter != nil {
		if refusal := o.st.admitter.AdmitKey(t.Key); refusal != nil {
			o.fault(refused(refusal, i))
		}
	}
	return nil
}

// release removes a quarantined tuple whose key is written or deleted, and says
// whether there was one.
func (a *applier) release(st *store, r row) (bool, error) {
	if st.stats.Quarantined == 0 {
		return false, nil
	}
	_, old, err := a.rowAt(prefixQuarantine, st, r)
	if err != nil || !old.present {
		return false, err
	}
	a.put(r.key(prefixQuarantine, st.id), old, cell{})
	return true, nil
}

func (o *operations) fault(r *command.Rejection) {
	if len(o.faults) < command.MaxFaults {
		o.faults = append(o.faults, *r)
	}
}

// finish checks the limits on what the command leaves behind, and rejects the
// command where anything was wrong.
func (o *operations) finish() error {
	for _, l := range o.limits {
		if len(o.faults) > 0 {
			break
		}
		count, err := o.a.count(o.st, l.row)
		if err != nil {
			return err
		}
		if count > l.most {
			o.fault(reject(command.CodeAtMost, l.operation, "delete one first, or in the same request",
				"%s#%s may have at most %d tuples and would have %d", l.key.Object, l.key.Relation, l.most, count))
		}
	}
	if len(o.faults) == 0 {
		return nil
	}
	first := o.faults[0]
	if len(o.faults) > 1 {
		first.Faults = o.faults
	}
	return &first
}

// count counts the tuples of the row's object#relation that have not expired.
func (a *applier) count(st *store, r row) (int, error) {
	n := 0
	prefix := row{ObjectType: r.ObjectType, ObjectID: r.ObjectID, Relation: r.Relation}.prefix()
	err := a.scan(prefixTuple, st, prefix, func(rowKey, value []byte) (bool, error) {
		var found row
		if err := found.setValue(value); err != nil {
			return false, err
		}
		if !found.expiredAt(a.now) {
			n++
		}
		return true, nil
	})
	return n, err
}

// refused turns a schema's refusal into a rejection.
func refused(r *schema.Refusal, operation int) *command.Rejection {
	suggestion := r.Suggestion
	if suggestion == "" && r.Expected != "" {
		suggestion = "expected " + r.Expected
	}
	return reject(command.Code(r.Code), operation, suggestion, "%s: %s", r.Tuple.Key, r.Message)
}

var errForm = errors.New("a tuple has an object type:id, a relation and a subject type:id, type:id#relation or type:*")
