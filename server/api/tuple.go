package api

import (
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Tuple is a tuple as JSON has it:
//
//	{"object": "document:readme", "relation": "viewer", "subject": "group:eng#member",
//	 "condition": {"name": "from_office", "context": {"cidr": "10.0.0.0/8"}}, "expires": "2030-01-01T00:00:00Z"}
type Tuple struct {
	Object    string     `json:"object"`
	Relation  string     `json:"relation"`
	Subject   string     `json:"subject"`
	Condition *Condition `json:"condition,omitzero"`
	Expires   time.Time  `json:"expires,omitzero"` // gone at that very instant; zero: never
}

// Condition is the condition that a tuple carries, with its part of the context.
type Condition struct {
	Name    string  `json:"name"`
	Context Context `json:"context,omitzero"`
}

// FromTuple gives a tuple its wire form.
func FromTuple(t tuple.Tuple) Tuple {
	wire := Tuple{Object: t.Object.String(), Relation: t.Relation, Subject: t.Subject.String(), Expires: t.Expires}
	if t.Condition.Name != "" {
		wire.Condition = &Condition{Name: t.Condition.Name}
		if t.Condition.Context != "" {
			wire.Condition.Context = Context(t.Condition.Context)
		}
	}
	return wire
}

// FromTuples gives tuples their wire form.
func FromTuples(tuples []tuple.Tuple) []Tuple {
	wire := make([]Tuple, len(tuples))
	for i, t := range tuples {
		wire[i] = FromTuple(t)
	}
	return wire
}

// ParseTuple reads the text form, document:readme#viewer@user:ana.
func ParseTuple(text string) (Tuple, error) {
	t, err := tuple.Parse(text)
	if err != nil {
		return Tuple{}, err
	}
	return FromTuple(t), nil
}

// Tuple checks the form of the members. Faults lists what is wrong, each with
// the member it is in (object, condition/context, …); without any the tuple is good.
func (t Tuple) Tuple() (tuple.Tuple, Faults) {
	var (
		out    tuple.Tuple
		faults Faults
		err    error
	)
	if out.Object, err = tuple.ParseObject(t.Object); err != nil {
		faults = append(faults, invalid("/object", err))
	}
	if err = tuple.ValidName(t.Relation, false); err != nil {
		faults = append(faults, invalid("/relation", err))
	}
	out.Relation = t.Relation
	if out.Subject, err = tuple.ParseSubject(t.Subject); err != nil {
		faults = append(faults, invalid("/subject", err))
	}
	if t.Condition != nil {
		out.Condition.Name = t.Condition.Name
		if err = tuple.ValidName(t.Condition.Name, false); err != nil {
			faults = append(faults, invalid("/condition/name", err))
		}
		if t.Condition.Context != nil {
			if out.Condition.Context, err = tuple.CanonicalContext(t.Condition.Context); err != nil {
				faults = append(faults, invalid("/condition/context", err))
			}
		}
	}
	if !t.Expires.IsZero() {
		if out.Expires, err = tuple.ParseTime(t.Expires.Format(time.RFC3339Nano)); err != nil {
			faults = append(faults, invalid("/expires", err))
		}
	}
	return out, faults
}

func invalid(pointer string, err error) Fault {
	return Fault{Code: InvalidValue, Pointer: pointer, Message: err.Error()}
}

// Filter selects tuples: every member that is set must match. Object and Subject
// name one object or subject whole; the other members name their parts.
type Filter struct {
	Object          string `json:"object,omitzero"`
	ObjectType      string `json:"object_type,omitzero"`
	Relation        string `json:"relation,omitzero"`
	Subject         string `json:"subject,omitzero"`
	SubjectType     string `json:"subject_type,omitzero"`
	SubjectID       string `json:"subject_id,omitzero"`
	SubjectRelation string `json:"subject_relation,omitzero"` // "-": only subjects without a relation
}

// Filter checks the form of the members.
func (f Filter) Filter() (tuple.Filter, Faults) {
	out := tuple.Filter{ObjectType: f.ObjectType, Relation: f.Relation,
		Subject: tuple.SubjectFilter{Type: f.SubjectType, ID: f.SubjectID, Relation: f.SubjectRelation}}
	var faults Faults
	name := func(pointer, text string, isType bool) {
		if text == "" {
			return
		}
		if err := tuple.ValidName(text, isType); err != nil {
			faults = append(faults, invalid(pointer, err))
		}
	}
	name("/object_type", f.ObjectType, true)
	name("/relation", f.Relation, false)
	name("/subject_type", f.SubjectType, true)
	if f.SubjectRelation != tuple.NoRelation {
		name("/subject_relation", f.SubjectRelation, false)
	}
	if f.SubjectID != "" {
		if err := tuple.ValidID(f.SubjectID); err != nil {
			faults = append(faults, invalid("/subject_id", err))
		}
	}
	if f.Object != "" {
		object, err := tuple.ParseObject(f.Object)
		switch {
		case err != nil:
			faults = append(faults, invalid("/object", err))
		case f.ObjectType != "" && f.ObjectType != object.Type:
			faults = append(faults, Fault{Code: InvalidValue, Pointer: "/object_type",
				Message: "object_type says " + f.ObjectType + " and object says " + object.Type, Suggestion: "leave object_type out"})
		default:
			out.ObjectType, out.ObjectID = object.Type, object.ID
		}
	}
	if f.Subject != "" {
		subject, err := tuple.ParseSubject(f.Subject)
		switch {
		case err != nil:
			faults = append(faults, invalid("/subject", err))
		case f.SubjectType != "" || f.SubjectID != "" || f.SubjectRelation != "":
			faults = append(faults, Fault{Code: InvalidValue, Pointer: "/subject",
				Message: "subject stands beside subject_type, subject_id or subject_relation", Suggestion: "give the subject whole, or its parts"})
		default:
			out.Subject = tuple.SubjectFilter(subject)
			if subject.Relation == "" {
				out.Subject.Relation = tuple.NoRelation
			}
		}
	}
	return out, faults
}
