package graph

import "github.com/pemba-authz/pemba/schema/tuple"

// edge is one version of a tuple.
type edge struct {
	life
	object, relation         uint32
	subject, subjectRelation uint32
	condition                uint32
	context                  uint32 // a node of contextType; 0 for none
	expires                  uint64
	forward, backward        uint32 // writer's: places in the adjacencies
}

func (x *Index) edgeTag(object, relation, subject, subjectRelation uint32) uint32 {
	return x.seed.tag(object, relation, subject, subjectRelation)
}

func (x *Index) matchEdge(object, relation, subject, subjectRelation uint32) func(uint32) bool {
	return func(i uint32) bool {
		e := x.edges.at(i)
		return e.object == object && e.subject == subject &&
			e.relation == relation && e.subjectRelation == subjectRelation
	}
}

func (x *Index) edgeAt(object, relation, subject, subjectRelation uint32, at moment) *edge {
	i := x.byKey.get(x.edgeTag(object, relation, subject, subjectRelation),
		x.matchEdge(object, relation, subject, subjectRelation))
	for i != 0 {
		e := x.edges.at(i)
		if e.seen(at) {
			return e
		}
		i = e.older.Load()
	}
	return nil
}

// forwardKey keeps a relation's usersets apart from its other subjects, so that
// either is listed without walking the other.
func forwardKey(object, relation uint32, userset bool) (uint32, uint32) {
	relation <<= 1
	if userset {
		relation |= 1
	}
	return object, relation
}

func (x *Index) add(t *Tuple, now moment) {
	object := x.nameNode(uint32(t.ObjectType), t.ObjectID, now)
	subject := x.nameNode(uint32(t.SubjectType), t.SubjectID, now)
	relation, subjectRelation := uint32(t.Relation), uint32(t.SubjectRelation)

	tag := x.edgeTag(object, relation, subject, subjectRelation)
	slot := x.byKey.find(tag, x.matchEdge(object, relation, subject, subjectRelation))
	var older uint32
	if slot != nil {
		older = uint32(slot.Load())
	}
	if older != 0 && x.sameAttributes(older, t) {
		x.leaveNode(object, now) // the edge that stays names both already
		x.leaveNode(subject, now)
		return
	}
	i := x.edges.take()
	e := x.edges.at(i)
	e.object, e.relation, e.subject, e.subjectRelation = object, relation, subject, subjectRelation
	e.condition, e.expires, e.context = uint32(t.Condition), t.Expires, 0
	if t.Context != "" {
		e.context = x.nameNode(contextType, string(t.Context), now)
	}
	e.begin(now, older)
	if older != 0 {
		o := x.edges.at(older)
		o.newer = i
		if o.removed.Load() == 0 {
			x.end(older, o, now)
		}
	}
	if slot != nil {
		slot.Store(entry(tag, i))
	} else {
		x.byKey.insert(tag, i)
	}
	x.forward.link(i)
	x.backward.link(i)
	x.live++
}

// sameAttributes says whether an edge is there that says just what t does.
func (x *Index) sameAttributes(i uint32, t *Tuple) bool {
	e := x.edges.at(i)
	return e.removed.Load() == 0 && e.condition == uint32(t.Condition) && e.expires == t.Expires &&
		string(x.contextOf(e)) == string(t.Context)
}

func (x *Index) contextOf(e *edge) tuple.Context {
	if e.context == 0 {
		return ""
	}
	return tuple.Context(x.idOf(x.nodes.at(e.context)))
}

func (x *Index) remove(t *Tuple, now moment) {
	object := x.liveNode(uint32(t.ObjectType), t.ObjectID)
	subject := x.liveNode(uint32(t.SubjectType), t.SubjectID)
	if object == 0 || subject == 0 {
		return
	}
	relation, subjectRelation := uint32(t.Relation), uint32(t.SubjectRelation)
	i := x.byKey.get(x.edgeTag(object, relation, subject, subjectRelation),
		x.matchEdge(object, relation, subject, subjectRelation))
	if i == 0 {
		return
	}
	if e := x.edges.at(i); e.removed.Load() == 0 {
		x.end(i, e, now)
	}
}

// end removes an edge from this moment on.
func (x *Index) end(i uint32, e *edge, now moment) {
	e.removed.Store(now)
	x.live--
	x.remember(retiredEdge, i)
	x.leaveNode(e.object, now)
	x.leaveNode(e.subject, now)
	if e.context != 0 {
		x.leaveNode(e.context, now)
	}
}

// unlinkEdge takes an edge out that no view can see any more.
func (x *Index) unlinkEdge(i uint32) {
	e := x.edges.at(i)
	if e.newer != 0 {
		x.edges.at(e.newer).older.Store(0)
	} else {
		tag := x.edgeTag(e.object, e.relation, e.subject, e.subjectRelation)
		x.byKey.remove(tag, x.byKey.find(tag, x.matchEdge(e.object, e.relation, e.subject, e.subjectRelation)))
	}
	x.forward.unlink(i)
	x.backward.unlink(i)
	x.retire(limboEdge, i)
}
