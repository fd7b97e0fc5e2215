package schema

// Admission is what apply needs to know of a schema to admit or refuse a tuple:
// names and limits, no expression. The schema command carries it beside the
// source, so that apply never compiles (storage rule 11). It is the same on
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
