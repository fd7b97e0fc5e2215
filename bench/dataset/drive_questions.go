package dataset

import (
	"math/rand/v2"
	"strings"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Walk returns the evaluator of this drive, made on the first call.
func (d *Drive) Walk() *DriveWalk {
	if d.walk == nil {
		d.walk = NewDriveWalk(d.Tuples())
	}
	return d.walk
}

// Questions asks who may view documents. Those that are to be allowed start
// from a grant above the document and from one of its holders; those that are to
// be denied are a document and any user, or one who is blocked above it.
func (d *Drive) Questions(seed uint64, n int) []Question {
	w, random := d.Walk(), rand.New(rand.NewPCG(d.seed, seed))
	list := make([]Question, 0, n)
	for i := range n {
		for allowed := i%2 == 0; ; {
			document := uint32(random.IntN(len(w.documents.ends)))
			user, ok := uint32(random.IntN(len(w.users.ends))), true
			if allowed {
				user, ok = w.holder(random, document, func(o *objects) *lists { return &o.grants })
			} else if random.IntN(4) == 0 {
				user, ok = w.holder(random, document, func(o *objects) *lists { return &o.blocked })
			}
			if !ok {
				continue
			}
			q := Question{Object: tuple.Object{Type: "document", ID: w.documents.name(document)}, Permission: "can_view",
				Subject: tuple.Subject{Type: "user", ID: w.users.name(user)}, Allowed: allowed}
			if w.MayView(q.Object.ID, q.Subject.ID) == allowed {
				list = append(list, q)
				break
			}
		}
	}
	random.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	gather(list)
	return list
}

// gather lays the ids of questions one behind the other in the order in which they
// are asked. A server has just read them: to fetch them from all over the memory
// is no part of a check.
func gather(questions []Question) {
	var all strings.Builder
	for i := range questions {
		all.WriteString(questions[i].Object.ID)
		all.WriteString(questions[i].Subject.ID)
	}
	rest := all.String()
	next := func(id *string) { *id, rest = rest[:len(*id)], rest[len(*id):] }
	for i := range questions {
		next(&questions[i].Object.ID)
		next(&questions[i].Subject.ID)
	}
}

// holder picks a user who is named, directly or through groups, in one of the
// lists on the way up from a document.
func (w *DriveWalk) holder(random *rand.Rand, document uint32, of func(*objects) *lists) (user uint32, ok bool) {
	var named []uint32
	for o, n := &w.document, document; ; {
		named = append(named, of(o).of(n)...)
		parent := o.parent.of(n)
		if len(parent) == 0 {
			break
		}
		o, n = &w.folder, parent[0]
	}
	if len(named) == 0 {
		return 0, false
	}
	s := named[random.IntN(len(named))]
	for s&(1<<subjectBits-1) == isGroup {
		members := w.members.of(s >> subjectBits)
		if len(members) == 0 {
			return 0, false
		}
		s = members[random.IntN(len(members))]
	}
	if s == isEveryone {
		return uint32(random.IntN(len(w.users.ends))), true
	}
	return s >> subjectBits, true
}
