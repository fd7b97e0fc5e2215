package state

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// codeAtMost is the reason of orphans that are more than a new limit allows.
const codeAtMost = schema.RefusalCode("at_most")

// orphanExamples is how many tuples of a shape a report names.
const orphanExamples = 3

// orphans is what a new schema does not admit of what is there.
type orphans struct {
	groups  map[orphanGroup]*command.OrphanShape
	live    []row // not admitted, in key order
	expired []row // not admitted, and expired at the log time: nobody misses them
}

type orphanGroup struct {
	shape  shape
	reason schema.RefusalCode
}

// findOrphans looks for tuples that a new schema does not admit. The counters by
// shape say where to look: a shape that the schema admits as before is not read.
func (a *applier) findOrphans(st *store, next *schema.Admission) (*orphans, error) {
	o := &orphans{groups: map[orphanGroup]*command.OrphanShape{}}
	if st.stats.Live == 0 || st.admission == nil {
		return o, nil
	}
	d := schemaChange{names: st.names, old: st.admission.Index(), new: next.Index(), oldTable: st.admission, newTable: next}
	suspects := map[tuple.TypeID]map[shape]bool{}
	for sh := range st.stats.Shapes {
		if !d.suspect(sh) {
			continue
		}
		t := st.names.relationType(sh.Relation)
		if suspects[t] == nil {
			suspects[t] = map[shape]bool{}
		}
		suspects[t][sh] = true
	}
	types := make([]tuple.TypeID, 0, len(suspects))
	for t := range suspects {
		types = append(types, t)
	}
	slices.Sort(types)
	for _, t := range types {
		if err := a.readSuspects(st, t, suspects[t], d, o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// readSuspects reads the tuples of the suspected shapes of one object type.
func (a *applier) readSuspects(st *store, t tuple.TypeID, shapes map[shape]bool, d schemaChange, o *orphans) error {
	type userset struct {
		id       string
		relation tuple.RelationID
	}
	limited := map[userset][]row{}
	err := a.scan(prefixTuple, st, row{ObjectType: t}.prefix(), func(rowKey, value []byte) (bool, error) {
		r, err := parseRow(rowKey)
		if err == nil {
			err = r.setValue(value)
		}
		if err != nil {
			return false, err
		}
		if !shapes[r.shape()] {
			return true, nil
		}
		named, err := st.names.tuple(r)
		if err != nil {
			return false, err
		}
		if refusal := d.new.Admit(named); refusal != nil {
			o.add(r, named, refusal.Code, a.now)
		} else if relation := d.new.Relation(named.Object.Type, named.Relation); relation.AtMost > 0 && !r.expiredAt(a.now) {
			limited[userset{r.ObjectID, r.Relation}] = append(limited[userset{r.ObjectID, r.Relation}], r)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	// Where a new limit is passed, none of the tuples has a better right than
	// another: all of them are orphans.
	keys := make([]userset, 0, len(limited))
	for k := range limited {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y userset) int { return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.relation, y.relation)) })
	for _, k := range keys {
		rows := limited[k]
		named, err := st.names.tuple(rows[0])
		if err != nil {
			return err
		}
		if len(rows) <= d.new.Relation(named.Object.Type, named.Relation).AtMost {
			continue
		}
		for _, r := range rows {
			if named, err = st.names.tuple(r); err != nil {
				return err
			}
			o.add(r, named, codeAtMost, a.now)
		}
	}
	return nil
}

func (o *orphans) add(r row, t tuple.Tuple, reason schema.RefusalCode, now int64) {
	if r.expiredAt(now) {
		o.expired = append(o.expired, r)
		return
	}
	o.live = append(o.live, r)
	key := orphanGroup{r.shape(), reason}
	g := o.groups[key]
	if g == nil {
		subject := t.Subject.Type
		switch {
		case t.Subject.IsWildcard():
			subject += ":" + tuple.Wildcard
		case t.Subject.IsUserset():
			subject += "#" + t.Subject.Relation
		}
		g = &command.OrphanShape{Type: t.Object.Type, Relation: t.Relation, Subject: subject,
			Condition: t.Condition.Name, Expiry: r.Expires != 0, Reason: string(reason)}
		o.groups[key] = g
	}
	g.Count++
	if len(g.Examples) < orphanExamples {
		g.Examples = append(g.Examples, t.Key.String())
	}
}

// shapes returns the report, sorted.
func (o *orphans) shapes() []command.OrphanShape {
	var out []command.OrphanShape
	for _, g := range o.groups {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(x, y command.OrphanShape) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Relation, y.Relation), cmp.Compare(x.Subject, y.Subject),
			cmp.Compare(x.Condition, y.Condition), cmp.Compare(x.Reason, y.Reason), cmp.Compare(fmt.Sprint(x.Expiry), fmt.Sprint(y.Expiry)))
	})
	return out
}

// resolveOrphans does with the orphans what the command says.
func (a *applier) resolveOrphans(st *store, o *orphans, way command.Orphans, res *command.Result) error {
	if len(o.live) > 0 && way == command.OrphansRefuse {
		r := reject(command.CodeOrphanedTuples, -1, "delete or change these tuples first, or say orphans: delete or ignore",
			"the schema no longer admits %d tuples of store %q", len(o.live), st.name)
		r.Orphans = o.shapes()
		return r
	}
	for _, r := range o.expired {
		a.erase(st, r, cell{present: true, value: r.value()})
	}
	for _, r := range o.live {
		a.erase(st, r, cell{present: true, value: r.value()})
		if way == command.OrphansDelete {
			res.Deleted++
			continue
		}
		_, old, err := a.rowAt(prefixQuarantine, st, r)
		if err != nil {
			return err
		}
		a.put(r.key(prefixQuarantine, st.id), old, cell{present: true, value: r.value()})
		res.Quarantined++
	}
	return nil
}

// schemaChange compares two admission tables.
type schemaChange struct {
	names              *names
	old, new           *schema.Admitter
	oldTable, newTable *schema.Admission
}

// suspect says whether tuples of a shape may be orphans under the new schema.
func (d schemaChange) suspect(sh shape) bool {
	typ, relation, subjectType, subjectRelation, condition := d.names.shapeNames(sh)
	was, is := d.old.Relation(typ, relation), d.new.Relation(typ, relation)
	if was == nil || is == nil || is.Permission {
		return true
	}
	admitted := slices.ContainsFunc(is.Shapes, func(s schema.AdmissionShape) bool {
		return s.Type == subjectType && s.Relation == subjectRelation && s.Wildcard == sh.Wildcard &&
			s.Condition == condition && (s.Expiry == schema.ExpiryOptional || (s.Expiry == schema.ExpiryRequired) == sh.Expires)
	})
	return !admitted ||
		is.AtMost > 0 && (was.AtMost == 0 || is.AtMost < was.AtMost) ||
		!slices.Equal(was.Sealed, is.Sealed) ||
		singleton(d.oldTable, typ) != singleton(d.newTable, typ) ||
		singleton(d.oldTable, subjectType) != singleton(d.newTable, subjectType) ||
		!slices.Equal(d.oldTable.Refuse, d.newTable.Refuse) ||
		!slices.Equal(params(d.oldTable, condition), params(d.newTable, condition))
}

func singleton(a *schema.Admission, typ string) string {
	for _, t := range a.Types {
		if t.Name == typ {
			return t.Singleton
		}
	}
	return ""
}

func params(a *schema.Admission, condition string) []schema.AdmissionParam {
	for _, c := range a.Conditions {
		if c.Name == condition {
			return c.Params
		}
	}
	return nil
}
