package dataset

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// ObjectList asks on which objects of a type a subject has a permission.
type ObjectList struct {
	Type       string
	Permission string
	Subject    tuple.Subject
	IDs        []string // the right answer, sorted
}

// SubjectList asks which subjects of a type have a permission on an object.
type SubjectList struct {
	Object     tuple.Object
	Permission string
	Type       string
	IDs        []string // the right answer, sorted
}

// Full is a dataset for every operation, not for checks alone.
type Full interface {
	Dataset

	// ObjectLists returns n questions with their answers.
	ObjectLists(seed uint64, n int) []ObjectList

	// SubjectLists returns n questions with their answers.
	SubjectLists(seed uint64, n int) []SubjectList

	// Spare is the n-th tuple of those that no question is about.
	Spare(n int64) tuple.Tuple

	// Pair returns two tuples of an object of this name and a question about it
	// that is denied with both of them and with none, and allowed with the first
	// alone: to allow it is to have seen half of a change.
	Pair(name string) ([]tuple.Tuple, Question)
}

// Spare blocks a user from a document of its own, so that no list changes.
func (d *Drive) Spare(n int64) tuple.Tuple {
	return edge("document", fmt.Sprintf("spare-%d", n), "blocked", user(id('u', uint64(n)%d.users)))
}

// Pair shows a document to a user who is blocked from it.
func (d *Drive) Pair(name string) ([]tuple.Tuple, Question) {
	u := user("u0")
	return []tuple.Tuple{edge("document", name, "viewer", u), edge("document", name, "blocked", u)},
		Question{Object: tuple.Object{Type: "document", ID: name}, Permission: "can_view", Subject: u}
}

// listed is about how many documents a user of ObjectLists may view, where there
// is such a user.
const listed = 10_000

// counted is how many documents are tried to estimate how many a user may view.
const counted = 20_000

// ObjectLists asks which documents a user may view: the n users of 16n who come
// closest to 10,000 documents, by an estimate where there are many.
func (d *Drive) ObjectLists(seed uint64, n int) []ObjectList {
	w, random := d.Walk(), rand.New(rand.NewPCG(d.seed, seed))
	type candidate struct{ user, documents uint32 }
	var candidates []candidate
	stride := max(1, len(w.documents.ends)/counted)
	for range 16 * n {
		c := candidate{user: uint32(random.IntN(len(w.users.ends)))}
		w.documentsOf(w.users.name(c.user), stride, func(uint32) { c.documents += uint32(stride) })
		candidates = append(candidates, c)
	}
	far := func(c candidate) int { return max(int(c.documents)-listed, listed-int(c.documents)) }
	slices.SortFunc(candidates, func(a, b candidate) int { return cmp.Or(cmp.Compare(far(a), far(b)), cmp.Compare(a.user, b.user)) })
	lists := make([]ObjectList, n)
	for i, c := range candidates[:n] {
		l := ObjectList{Type: "document", Permission: "can_view", Subject: tuple.Subject{Type: "user", ID: w.users.name(c.user)}}
		w.documentsOf(l.Subject.ID, 1, func(x uint32) { l.IDs = append(l.IDs, w.documents.name(x)) })
		slices.Sort(l.IDs)
		lists[i] = l
	}
	return lists
}

// SubjectLists asks which users may view a document that is not everyone's.
func (d *Drive) SubjectLists(seed uint64, n int) []SubjectList {
	w, random := d.Walk(), rand.New(rand.NewPCG(d.seed, seed))
	everyone := []uint32{isEveryone}
	lists := make([]SubjectList, 0, n)
	for len(lists) < n {
		document := uint32(random.IntN(len(w.documents.ends)))
		if w.mayView(document, everyone) {
			continue
		}
		l := SubjectList{Object: tuple.Object{Type: "document", ID: w.documents.name(document)}, Permission: "can_view", Type: "user"}
		var room [32]uint32
		for u := range w.users.ends {
			if name := w.users.name(uint32(u)); w.mayView(document, w.holders(name, room[:0])) {
				l.IDs = append(l.IDs, name)
			}
		}
		slices.Sort(l.IDs)
		lists = append(lists, l)
	}
	return lists
}

// documentsOf tries every document, or every stride-th.
func (w *DriveWalk) documentsOf(user string, stride int, each func(document uint32)) {
	holders := w.holders(user, nil)
	for document := 0; document < len(w.documents.ends); document += stride {
		if w.mayView(uint32(document), holders) {
			each(uint32(document))
		}
	}
}
