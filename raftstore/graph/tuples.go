package graph

import (
	"sync/atomic"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// add makes a tuple be there, with its attributes, from a moment on.
func (x *Index) add(t *Tuple, now moment) {
	object := x.nameNode(uint32(t.ObjectType), t.ObjectID)
	subject := x.nameNode(uint32(t.SubjectType), t.SubjectID)
	o, s := x.nodes.at(object), x.nodes.at(subject)
	toSubject := farEnd(subject, uint32(t.Relation), uint32(t.SubjectRelation))
	toObject := farEnd(object, uint32(t.Relation), uint32(t.SubjectRelation))
	place := x.place(o, forward, &toSubject)
	if place != nil && x.isAsWritten(*place, t) {
		return
	}
	x.enterNode(object, now)
	x.enterNode(subject, now)
	x.live++
	if place == nil && x.loading && t.bare() {
		x.put(o, forward, toSubject.plain)
		x.put(s, backward, toObject.plain)
		return
	}
	older := uint32(0)
	if place != nil {
		older = x.end(*place, object, &toSubject, now)
	}
	i := x.newVersion(object, &toSubject, older)
	v := x.versions.at(i)
	v.condition, v.expires = uint32(t.Condition), t.Expires
	if t.Context != "" {
		v.context = x.nameNode(contextType, string(t.Context))
		x.enterNode(v.context, now)
	}
	if !x.loading {
		v.added.Store(now)
		x.remember(tupleAdded, i)
	}
	e := v.entry() | uint64(i)
	if place == nil {
		x.put(o, forward, e)
		x.put(s, backward, e)
		return
	}
	atomic.StoreUint64(place, e)
	atomic.StoreUint64(x.place(s, backward, &toObject), e)
}

// bare says whether the tuple's key says all of it.
func (t *Tuple) bare() bool {
	return t.Condition == 0 && t.Context == "" && t.Expires == 0 && t.Relation < wide && t.SubjectRelation < wide
}

// isAsWritten says whether the tuple of an entry is there and says just what t does.
func (x *Index) isAsWritten(e uint64, t *Tuple) bool {
	if e&recordBit == 0 {
		return t.bare()
	}
	v := x.versions.at(uint32(e))
	return v.removed.Load() == 0 && v.condition == uint32(t.Condition) && v.expires == t.Expires &&
		string(x.contextOf(v)) == string(t.Context)
}

func (x *Index) contextOf(v *version) tuple.Context {
	if v.context == 0 {
		return ""
	}
	return tuple.Context(x.idOf(x.nodes.at(v.context)))
}

// newVersion makes a version that is there since ever, without attributes.
func (x *Index) newVersion(object uint32, f *far, older uint32) uint32 {
	x.versions.next = max(x.versions.next, 1)
	i := x.versions.take(x.memory)
	v := x.versions.at(i)
	v.begin(0, older)
	v.object, v.subject, v.relation, v.subjectRelation = object, f.node, f.relation, f.subjectRelation
	v.condition, v.context, v.expires = 0, 0, 0
	if older != 0 {
		x.versions.at(older).newer = i
	}
	x.held++
	return i
}

func (x *Index) remove(t *Tuple, now moment) {
	object := x.find(uint32(t.ObjectType), t.ObjectID)
	subject := x.find(uint32(t.SubjectType), t.SubjectID)
	if object == 0 || subject == 0 {
		return
	}
	toSubject := farEnd(subject, uint32(t.Relation), uint32(t.SubjectRelation))
	place := x.place(x.nodes.at(object), forward, &toSubject)
	if place == nil {
		return
	}
	if e := *place; e&recordBit == 0 {
		i := x.end(e, object, &toSubject, now)
		e = x.versions.at(i).entry() | uint64(i)
		toObject := farEnd(object, uint32(t.Relation), uint32(t.SubjectRelation))
		atomic.StoreUint64(place, e)
		atomic.StoreUint64(x.place(x.nodes.at(subject), backward, &toObject), e)
	} else {
		x.end(e, object, &toSubject, now)
	}
}

// find returns the node of an object whether or not it is there, or 0.
func (x *Index) find(kind uint32, id string) uint32 {
	if slot := x.slot(x.seed.textTag(kind, id), kind, id); slot != nil {
		return uint32(*slot)
	}
	return 0
}

// end removes the tuple of an entry from a moment on, if it is there, and returns
// its newest version, one made for it if it had none.
func (x *Index) end(e uint64, object uint32, f *far, now moment) uint32 {
	i := uint32(e)
	if e&recordBit == 0 {
		i = x.newVersion(object, f, 0)
	}
	v := x.versions.at(i)
	if v.removed.Load() != 0 {
		return i
	}
	v.removed.Store(now)
	x.live--
	x.remember(tupleRemoved, i)
	x.leaveNode(v.object, now)
	x.leaveNode(v.subject, now)
	if v.context != 0 {
		x.leaveNode(v.context, now)
	}
	return i
}

// settleTuple gives a tuple that every view sees an entry without a record, if
// the entry can say all of it.
func (x *Index) settleTuple(i uint32) {
	v := x.versions.at(i)
	if v.removed.Load() != 0 {
		return // its removal waits too
	}
	if !v.bare() {
		v.added.Store(0)
		return
	}
	toSubject, toObject := farEnd(v.subject, v.relation, v.subjectRelation), farEnd(v.object, v.relation, v.subjectRelation)
	atomic.StoreUint64(x.place(x.nodes.at(v.object), forward, &toSubject), toSubject.plain)
	atomic.StoreUint64(x.place(x.nodes.at(v.subject), backward, &toObject), toObject.plain)
	x.retire(limboVersion, i, 0)
}

// endTuple forgets a version that no view sees any more, and the tuple with its last.
func (x *Index) endTuple(i uint32) {
	v := x.versions.at(i)
	x.retire(limboVersion, i, 0)
	if v.newer != 0 {
		x.versions.at(v.newer).older.Store(0)
		return
	}
	toSubject, toObject := farEnd(v.subject, v.relation, v.subjectRelation), farEnd(v.object, v.relation, v.subjectRelation)
	x.cut(x.nodes.at(v.object), forward, &toSubject)
	x.cut(x.nodes.at(v.subject), backward, &toObject)
}
