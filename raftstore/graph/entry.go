package graph

// An entry is a tuple in the list of one of its ends, in a word: the node at the
// other end and its relations; or, with recordBit, the number of its newest
// version, for a tuple with a condition, a context or an expiry, for one that was
// written or removed so lately that some view could see it otherwise, and for
// relations of high numbers. 0 is an empty word.
const (
	recordBit = 1 << 63
	// listBit marks the word of a node that leads to a list. Alone it is a place in
	// a set whose entry was deleted.
	listBit = 1 << 62

	relationShift = 47
	subjectShift  = 32
	labelBits     = 15
	// wide stands for all relations with so high a number or a higher one, which
	// only the record has.
	wide         = 1<<labelBits - 1
	relationMask = uint64(wide) << relationShift
	subjectMask  = uint64(wide) << subjectShift
	labelMask    = relationMask | subjectMask
)

func label(relation, subjectRelation uint32) uint64 {
	return uint64(min(relation, wide))<<relationShift | uint64(min(subjectRelation, wide))<<subjectShift
}

// side is one of the two ends of a tuple, whose list an entry is in.
type side uint8

const (
	forward  side = iota // the object's list: entries lead to the subjects
	backward             // the subject's list: entries lead to the objects
)

// far is what an entry is found by: the other end with the tuple's relations.
type far struct {
	node, relation, subjectRelation uint32
	plain                           uint64 // the entry without a record; 0 where it needs one
	label                           uint64
}

func farEnd(node, relation, subjectRelation uint32) far {
	f := far{node: node, relation: relation, subjectRelation: subjectRelation, label: label(relation, subjectRelation)}
	if relation < wide && subjectRelation < wide {
		f.plain = f.label | uint64(node)
	} else {
		f.plain = listBit | 1 // no entry
	}
	return f
}

// is says whether an entry, which is not the plain one, is the one that f means.
func (x *Index) is(e uint64, s side, f *far) bool {
	if e&(recordBit|labelMask) != recordBit|f.label {
		return false
	}
	v := x.versions.at(uint32(e))
	return v.end(s) == f.node && v.relation == f.relation && v.subjectRelation == f.subjectRelation
}

// farOf returns what an entry is found by.
func (x *Index) farOf(e uint64, s side) far {
	if e&recordBit == 0 {
		return farEnd(uint32(e), uint32(e&relationMask>>relationShift), uint32(e&subjectMask>>subjectShift))
	}
	v := x.versions.at(uint32(e))
	return farEnd(v.end(s), v.relation, v.subjectRelation)
}

// hash tags the far end, for sets.
func (x *Index) hash(f *far) uint32 {
	return x.seed.tag(uint64(f.node), uint64(f.relation)<<32|uint64(f.subjectRelation))
}

// groupOf returns the group of an entry in a large list: of an object's, the
// tuples of one relation, usersets apart and before the others; of a subject's,
// those that name it with one relation and stand under one.
func groupOf(e uint64, s side) uint32 {
	relation, subjectRelation := uint32(e>>relationShift)&wide, uint32(e>>subjectShift)&wide
	if s == backward {
		return subjectRelation<<labelBits | relation
	}
	if subjectRelation != 0 {
		return relation << 1
	}
	return relation<<1 | 1
}

// version is a tuple as it stood from one write to another.
type version struct {
	life
	object, relation         uint32
	subject, subjectRelation uint32
	condition                uint32
	context                  uint32 // a node of contextType; 0 for none
	expires                  uint64
}

// end returns the node that an entry in a list of that side leads to.
func (v *version) end(s side) uint32 {
	if s == forward {
		return v.subject
	}
	return v.object
}

// bare says whether the entries alone say all of a tuple that always was there.
func (v *version) bare() bool {
	return v.condition == 0 && v.context == 0 && v.expires == 0 && v.relation < wide && v.subjectRelation < wide
}

func (v *version) entry() uint64 {
	return recordBit | label(v.relation, v.subjectRelation)
}

// seenVersion returns the version of an entry with a record that is there at a
// moment, or nil.
func (x *Index) seenVersion(e uint64, at moment) *version {
	for i := uint32(e); i != 0; {
		v := x.versions.at(i)
		if v.seen(at) {
			return v
		}
		i = v.older.Load()
	}
	return nil
}
