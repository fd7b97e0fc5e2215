package dataset

import (
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// DriveWalk answers questions about a drive by a walk that knows this one schema
// and reads arrays. It is what the engine's answers are compared with, and what
// its speed is: nothing general can be faster than it.
type DriveWalk struct {
	users, groups, folders, documents *names

	groupsOf   lists // user to groups it is directly in
	containing lists // group to groups it is directly in
	members    lists // group to subjects
	folder     objects
	document   objects
}

// objects are the folders or the documents, by number.
type objects struct {
	parent  lists // to folders; one or none
	grants  lists // to subjects, whatever the relation
	blocked lists // to subjects
}

// A subject in a list is its number and, in the low bits, what it is.
const (
	isUser = iota + 1
	isGroup
	isEveryone
	subjectBits = 2
)

// NewDriveWalk reads a drive's tuples, twice.
func NewDriveWalk(tuples iter.Seq[tuple.Tuple]) *DriveWalk {
	w := &DriveWalk{users: newNames(), groups: newNames(), folders: newNames(), documents: newNames()}
	w.each(tuples, (*lists).count)
	for _, l := range []*lists{&w.groupsOf, &w.containing, &w.members, &w.folder.parent, &w.folder.grants, &w.folder.blocked,
		&w.document.parent, &w.document.grants, &w.document.blocked} {
		l.lay()
	}
	w.each(tuples, (*lists).add)
	return w
}

// each hands every tuple to the lists that it belongs in.
func (w *DriveWalk) each(tuples iter.Seq[tuple.Tuple], put func(l *lists, from, to uint32)) {
	for t := range tuples {
		s := w.subject(t.Subject)
		switch t.Object.Type {
		case "group":
			g := w.groups.number(t.Object.ID)
			put(&w.members, g, s)
			if s&(1<<subjectBits-1) == isGroup {
				put(&w.containing, s>>subjectBits, g)
			} else {
				put(&w.groupsOf, s>>subjectBits, g)
			}
		case "folder":
			w.folder.put(w.folders.number(t.Object.ID), t, s, w.folders, put)
		case "document":
			w.document.put(w.documents.number(t.Object.ID), t, s, w.folders, put)
		}
	}
}

func (o *objects) put(n uint32, t tuple.Tuple, subject uint32, folders *names, put func(l *lists, from, to uint32)) {
	switch t.Relation {
	case "parent":
		put(&o.parent, n, folders.number(t.Subject.ID))
	case "blocked":
		put(&o.blocked, n, subject)
	default:
		put(&o.grants, n, subject)
	}
}

func (w *DriveWalk) subject(s tuple.Subject) uint32 {
	switch {
	case s.IsWildcard():
		return isEveryone
	case s.Type == "group":
		return w.groups.number(s.ID)<<subjectBits | isGroup
	case s.Type == "user":
		return w.users.number(s.ID)<<subjectBits | isUser
	}
	return 0 // a folder, which is nobody
}

// MayView says whether a user has can_view on a document.
func (w *DriveWalk) MayView(document, user string) bool {
	d, ok := w.documents.lookup(document)
	if !ok {
		return false
	}
	var room [32]uint32
	return w.mayView(d, w.holders(user, room[:0]))
}

// holders appends whatever a grant to the user may name: the user, everyone and
// the groups that the user is in, however deep.
func (w *DriveWalk) holders(user string, list []uint32) []uint32 {
	list = append(list, isEveryone)
	u, ok := w.users.lookup(user)
	if !ok {
		return list
	}
	list = append(list, u<<subjectBits|isUser)
	for _, g := range w.groupsOf.of(u) {
		list = include(list, g<<subjectBits|isGroup)
	}
	for i := 2; i < len(list); i++ {
		for _, g := range w.containing.of(list[i] >> subjectBits) {
			list = include(list, g<<subjectBits|isGroup)
		}
	}
	return list
}

func (w *DriveWalk) mayView(document uint32, holders []uint32) bool {
	o, n := &w.document, document
	for {
		if meet(o.blocked.of(n), holders) {
			return false
		}
		if meet(o.grants.of(n), holders) {
			return true
		}
		parent := o.parent.of(n)
		if len(parent) == 0 {
			return false
		}
		o, n = &w.folder, parent[0]
	}
}

func meet(a, b []uint32) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

func include(list []uint32, n uint32) []uint32 {
	for _, m := range list {
		if m == n {
			return list
		}
	}
	return append(list, n)
}

// lists are many lists of numbers in two arrays: first count what each will
// hold, then lay them out, then add.
type lists struct {
	ends  []uint32 // of list i in items; while counting, how many
	items []uint32
}

func (l *lists) count(from, _ uint32) {
	for uint32(len(l.ends)) <= from {
		l.ends = append(l.ends, 0)
	}
	l.ends[from]++
}

// lay turns counts into beginnings, which add moves to the ends.
func (l *lists) lay() {
	sum := uint32(0)
	for i, n := range l.ends {
		l.ends[i] = sum
		sum += n
	}
	l.items = make([]uint32, sum)
}

func (l *lists) add(from, to uint32) {
	l.items[l.ends[from]] = to
	l.ends[from]++
}

// of returns one list; empty where there is none.
func (l *lists) of(from uint32) []uint32 {
	if from >= uint32(len(l.ends)) {
		return nil
	}
	begin := uint32(0)
	if from > 0 {
		begin = l.ends[from-1]
	}
	return l.items[begin:l.ends[from]]
}
