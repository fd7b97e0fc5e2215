package tuple

// Filter selects tuples by their key; an empty field selects all.
type Filter struct {
	ObjectType string
	ObjectID   string
	Relation   string
	Subject    SubjectFilter
}

// SubjectFilter selects by the subject; an empty field selects all. Relation "-"
// selects only subjects without a relation.
type SubjectFilter struct {
	Type     string
	ID       string
	Relation string
}

// NoRelation in SubjectFilter.Relation selects objects and wildcards, not usersets.
const NoRelation = "-"

// Matches says whether the key is selected.
func (f Filter) Matches(k Key) bool {
	return selects(f.ObjectType, k.Object.Type) && selects(f.ObjectID, k.Object.ID) &&
		selects(f.Relation, k.Relation) && f.Subject.Matches(k.Subject)
}

// Matches says whether the subject is selected.
func (f SubjectFilter) Matches(s Subject) bool {
	return selects(f.Type, s.Type) && selects(f.ID, s.ID) &&
		(selects(f.Relation, s.Relation) || f.Relation == NoRelation && s.Relation == "")
}

// IsZero says whether the filter selects every tuple.
func (f Filter) IsZero() bool { return f == Filter{} }

func selects(want, got string) bool { return want == "" || want == got }
