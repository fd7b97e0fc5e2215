package schema

import (
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Admit says why the schema does not admit a tuple; nil when it does. It looks
// at the tuple alone (not at AtMost, which counts others) and is the same on
// every node. For many tuples, make an Admitter with Index once.
func (a *Admission) Admit(t tuple.Tuple) *Refusal { return a.Index().Admit(t) }

// Admitter is an Admission with its names indexed. It is immutable and may be
// shared.
type Admitter struct {
	admission  *Admission
	types      map[string]*admittedType
	conditions map[string]*AdmissionCondition
	selfTuples bool // refused
}

type admittedType struct {
	*AdmissionType
	relations map[string]*admittedRelation
}

type admittedRelation struct {
	*AdmissionRelation
	sealed map[string]bool
}

// Index prepares the admission for many tuples.
func (a *Admission) Index() *Admitter {
	x := &Admitter{
		admission:  a,
		types:      make(map[string]*admittedType, len(a.Types)),
		conditions: make(map[string]*AdmissionCondition, len(a.Conditions)),
		selfTuples: slices.Contains(a.Refuse, RefuseSelfTuples),
	}
	for i := range a.Types {
		t := &admittedType{AdmissionType: &a.Types[i]}
		t.relations = make(map[string]*admittedRelation, len(t.Relations))
		for j := range t.Relations {
			r := &admittedRelation{AdmissionRelation: &t.Relations[j]}
			if len(r.Sealed) > 0 {
				r.sealed = make(map[string]bool, len(r.Sealed))
				for _, id := range r.Sealed {
					r.sealed[id] = true
				}
			}
			t.relations[r.Name] = r
		}
		x.types[t.Name] = t
	}
	for i := range a.Conditions {
		x.conditions[a.Conditions[i].Name] = &a.Conditions[i]
	}
	return x
}

// RefuseSelfTuples in a header's "refuse" refuses the tuple of a userset to itself.
const RefuseSelfTuples = "self_tuples"

// Relation returns what is said of a relation or permission of a type, or nil.
func (x *Admitter) Relation(typeName, relation string) *AdmissionRelation {
	t := x.types[typeName]
	if t == nil || t.relations[relation] == nil {
		return nil
	}
	return t.relations[relation].AdmissionRelation
}

// Admit says why the schema does not admit a tuple; nil when it does.
func (x *Admitter) Admit(t tuple.Tuple) *Refusal {
	r, refusal := x.relation(t)
	if refusal != nil {
		return refusal
	}
	shapes, refusal := x.shapes(t, r)
	if refusal != nil {
		return refusal
	}
	if shapes, refusal = x.condition(t, shapes); refusal != nil {
		return refusal
	}
	if refusal := expiry(t, shapes); refusal != nil {
		return refusal
	}
	return x.context(t)
}

// AdmitKey says why the schema admits no tuple of this key, whatever its
// condition and expiry; nil when it could.
func (x *Admitter) AdmitKey(k tuple.Key) *Refusal {
	t := tuple.Tuple{Key: k}
	r, refusal := x.relation(t)
	if refusal == nil {
		_, refusal = x.shapes(t, r)
	}
	return refusal
}

// relation finds the relation that the tuple writes, and refuses an object or a
// relation that nothing may write to.
func (x *Admitter) relation(t tuple.Tuple) (*admittedRelation, *Refusal) {
	typ := x.types[t.Object.Type]
	if typ == nil {
		return nil, &Refusal{Code: CodeUnknownType, Tuple: t, Field: "object", Thing: t.Object.Type,
			Message:    fmt.Sprintf("the schema has no type %q", t.Object.Type),
			Suggestion: source.DidYouMean(t.Object.Type, x.typeNames())}
	}
	r := typ.relations[t.Relation]
	if r == nil {
		return nil, &Refusal{Code: CodeUnknownRelation, Tuple: t, Field: "relation", Thing: t.Relation,
			Message:    fmt.Sprintf("type %s has no relation %q", typ.Name, t.Relation),
			Suggestion: source.DidYouMean(t.Relation, typ.relationNames())}
	}
	if r.Permission {
		return nil, &Refusal{Code: CodeNotARelation, Tuple: t, Field: "relation", Thing: t.Relation,
			Message:    fmt.Sprintf("%s#%s is a permission: it is computed, and no tuple may write it", typ.Name, r.Name),
			Suggestion: "write one of the relations that it is computed from"}
	}
	if typ.Singleton != "" && typ.Singleton != t.Object.ID {
		return nil, &Refusal{Code: CodeNotTheSingleton, Tuple: t, Field: "object", Thing: t.Object.String(),
			Message:  fmt.Sprintf("type %s has one object, and %s is not it", typ.Name, t.Object),
			Expected: typ.Name + ":" + typ.Singleton}
	}
	if r.sealed[t.Object.ID] {
		return nil, &Refusal{Code: CodeSealed, Tuple: t, Field: "object", Thing: t.Object.String() + "#" + t.Relation,
			Message:    fmt.Sprintf("%s#%s is sealed: the schema fixes its subjects", t.Object, t.Relation),
			Suggestion: "change the schema's sealed declaration instead"}
	}
	if x.selfTuples && t.Subject == (tuple.Subject{Type: t.Object.Type, ID: t.Object.ID, Relation: t.Relation}) {
		return nil, &Refusal{Code: CodeSelfTuple, Tuple: t, Field: "subject", Thing: t.Subject.String(),
			Message: fmt.Sprintf("%s may not be a subject of itself: the schema says refuse self_tuples", t.Subject)}
	}
	return r, nil
}

// shapes returns the shapes of the relation that the tuple's subject has.
func (x *Admitter) shapes(t tuple.Tuple, r *admittedRelation) ([]AdmissionShape, *Refusal) {
	s := t.Subject
	typ := x.types[s.Type]
	if typ == nil {
		return nil, &Refusal{Code: CodeUnknownType, Tuple: t, Field: "subject", Thing: s.Type,
			Message:  fmt.Sprintf("the schema has no type %q", s.Type),
			Expected: shapesText(r.Shapes), Suggestion: source.DidYouMean(s.Type, x.typeNames())}
	}
	if s.Relation != "" && typ.relations[s.Relation] == nil {
		return nil, &Refusal{Code: CodeUnknownRelation, Tuple: t, Field: "subject", Thing: s.Relation,
			Message:  fmt.Sprintf("type %s has no relation %q", s.Type, s.Relation),
			Expected: shapesText(r.Shapes), Suggestion: source.DidYouMean(s.Relation, typ.relationNames())}
	}
	if typ.Singleton != "" && typ.Singleton != s.ID && !s.IsWildcard() {
		return nil, &Refusal{Code: CodeNotTheSingleton, Tuple: t, Field: "subject", Thing: s.String(),
			Message:  fmt.Sprintf("type %s has one object, and %s is not it", s.Type, s.Object()),
			Expected: s.Type + ":" + typ.Singleton}
	}
	var found []AdmissionShape
	for _, shape := range r.Shapes {
		if shape.Type == s.Type && shape.Relation == s.Relation && shape.Wildcard == s.IsWildcard() {
			found = append(found, shape)
		}
	}
	if len(found) == 0 {
		return nil, &Refusal{Code: CodeSubjectNotAdmitted, Tuple: t, Field: "subject", Thing: s.String(),
			Message:  fmt.Sprintf("%s#%s does not admit the subject %s", t.Object.Type, t.Relation, s),
			Expected: shapesText(r.Shapes)}
	}
	return found, nil
}

// condition keeps the shapes whose condition the tuple carries.
func (x *Admitter) condition(t tuple.Tuple, shapes []AdmissionShape) ([]AdmissionShape, *Refusal) {
	name := t.Condition.Name
	if name != "" && x.conditions[name] == nil {
		return nil, &Refusal{Code: CodeUnknownCondition, Tuple: t, Field: "condition", Thing: name,
			Message:  fmt.Sprintf("the schema has no condition %q", name),
			Expected: shapesText(shapes), Suggestion: source.DidYouMean(name, x.conditionNames())}
	}
	var found []AdmissionShape
	for _, shape := range shapes {
		if shape.Condition == name {
			found = append(found, shape)
		}
	}
	switch {
	case len(found) > 0:
		return found, nil
	case name == "":
		return nil, &Refusal{Code: CodeConditionRequired, Tuple: t, Field: "condition", Thing: t.Subject.String(),
			Message: fmt.Sprintf("%s#%s admits %s only with a condition, and the tuple carries none",
				t.Object.Type, t.Relation, t.Subject), Expected: shapesText(shapes)}
	default:
		return nil, &Refusal{Code: CodeConditionNotAdmitted, Tuple: t, Field: "condition", Thing: name,
			Message: fmt.Sprintf("%s#%s does not admit %s with the condition %s",
				t.Object.Type, t.Relation, t.Subject, name), Expected: shapesText(shapes)}
	}
}

func expiry(t tuple.Tuple, shapes []AdmissionShape) *Refusal {
	expires := !t.Expires.IsZero()
	for _, shape := range shapes {
		if shape.Expiry == ExpiryOptional || (shape.Expiry == ExpiryRequired) == expires {
			return nil
		}
	}
	if expires {
		return &Refusal{Code: CodeExpiryNotAdmitted, Tuple: t, Field: "expires", Thing: t.Subject.String(),
			Message:  fmt.Sprintf("%s#%s does not admit %s with an expiry", t.Object.Type, t.Relation, t.Subject),
			Expected: shapesText(shapes)}
	}
	return &Refusal{Code: CodeExpiryRequired, Tuple: t, Field: "expires", Thing: t.Subject.String(),
		Message:  fmt.Sprintf("%s#%s admits %s only with an expiry, and the tuple has none", t.Object.Type, t.Relation, t.Subject),
		Expected: shapesText(shapes)}
}

func (x *Admitter) typeNames() []string {
	names := make([]string, len(x.admission.Types))
	for i, t := range x.admission.Types {
		names[i] = t.Name
	}
	return names
}

func (x *Admitter) conditionNames() []string {
	names := make([]string, len(x.admission.Conditions))
	for i, c := range x.admission.Conditions {
		names[i] = c.Name
	}
	return names
}

func (t *admittedType) relationNames() []string {
	names := make([]string, len(t.Relations))
	for i, r := range t.Relations {
		names[i] = r.Name
	}
	return names
}
