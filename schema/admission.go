package schema

import (
	"strings"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Admission is what apply needs to know of a schema to admit or refuse a tuple:
// names and limits, no expression. The schema command carries it beside the
// source, so that apply never compiles. It is the same on
// every node, whatever the node's build. Marshalled as JSON it is stable.
type Admission struct {
	Language   int                  `json:"language"`
	Refuse     []string             `json:"refuse,omitempty"` // the header's "refuse" names: self_tuples
	Types      []AdmissionType      `json:"types"`
	Conditions []AdmissionCondition `json:"conditions,omitempty"`
}

// AdmissionType is one type with its relations and permissions.
type AdmissionType struct {
	Name      string              `json:"name"`
	Singleton string              `json:"singleton,omitempty"`
	Relations []AdmissionRelation `json:"relations"`
}

// AdmissionRelation is one relation or permission.
type AdmissionRelation struct {
	Name       string           `json:"name"`
	Permission bool             `json:"permission,omitzero"`
	AtMost     int              `json:"at_most,omitzero"`
	Shapes     []AdmissionShape `json:"shapes,omitempty"`
	Sealed     []string         `json:"sealed,omitempty"` // object ids whose userset the schema fixes
}

// AdmissionShape is one kind of subject that a relation admits.
type AdmissionShape struct {
	Type      string `json:"type"`
	Relation  string `json:"relation,omitempty"`
	Wildcard  bool   `json:"wildcard,omitzero"`
	Condition string `json:"condition,omitempty"`
	Expiry    Expiry `json:"expiry,omitzero"`
}

// AdmissionCondition is a condition with the types of its parameters, which the
// context of a tuple must have.
type AdmissionCondition struct {
	Name   string           `json:"name"`
	Params []AdmissionParam `json:"params"`
}

// AdmissionParam is one parameter; Type is the text of its type in the language:
// int, list<string>, map<any>.
type AdmissionParam struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// String returns the shape as the language writes it: group#member with from_office and expiry.
func (s AdmissionShape) String() string {
	text := s.Type
	switch {
	case s.Wildcard:
		text += ":" + tuple.Wildcard
	case s.Relation != "":
		text += "#" + s.Relation
	}
	var traits []string
	if s.Condition != "" {
		traits = append(traits, s.Condition)
	}
	switch s.Expiry {
	case ExpiryRequired:
		traits = append(traits, "expiry")
	case ExpiryOptional:
		traits = append(traits, "expiry?")
	}
	if len(traits) > 0 {
		text += " with " + strings.Join(traits, " and ")
	}
	return text
}

func shapesText(shapes []AdmissionShape) string {
	const most = 20
	texts := make([]string, 0, min(len(shapes), most+1))
	for i, s := range shapes {
		if i == most {
			texts = append(texts, "…")
			break
		}
		texts = append(texts, s.String())
	}
	return strings.Join(texts, " | ")
}
