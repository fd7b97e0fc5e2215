package schema

import "github.com/pemba-authz/pemba/schema/tuple"

// RefusalCode says why a schema does not admit a tuple. Codes are stable; they
// are listed in docs/language.md.
type RefusalCode string

// The reasons for which a tuple is refused.
const (
	CodeUnknownType          RefusalCode = "unknown_type"
	CodeUnknownRelation      RefusalCode = "unknown_relation"
	CodeNotARelation         RefusalCode = "not_a_relation" // a write to a permission
	CodeSubjectNotAdmitted   RefusalCode = "subject_not_admitted"
	CodeUnknownCondition     RefusalCode = "unknown_condition"
	CodeConditionRequired    RefusalCode = "condition_required"
	CodeConditionNotAdmitted RefusalCode = "condition_not_admitted"
	CodeExpiryRequired       RefusalCode = "expiry_required"
	CodeExpiryNotAdmitted    RefusalCode = "expiry_not_admitted"
	CodeSealed               RefusalCode = "sealed"
	CodeNotTheSingleton      RefusalCode = "singleton"
	CodeSelfTuple            RefusalCode = "self_tuple"
	CodeContextUnknownKey    RefusalCode = "context_unknown_key"
	CodeContextType          RefusalCode = "context_type"
	CodeAtMost               RefusalCode = "at_most" // judged by those who count tuples
)

// Refusal says why a tuple is not admitted: the thing at fault, where in the
// tuple it stands, and what would be admitted.
type Refusal struct {
	Code       RefusalCode
	Tuple      tuple.Tuple
	Field      string // object, relation, subject, condition, context or expires
	Thing      string // the name, id or value at fault
	Message    string // what is wrong, naming the thing
	Expected   string // what is admitted there; "" when there is nothing to say
	Suggestion string // a near miss, or the way out; "" when there is none
}

// Error returns the message with the tuple and, where there is one, the suggestion.
func (r *Refusal) Error() string {
	text := r.Tuple.Key.String() + ": " + r.Message
	if r.Expected != "" {
		text += "; expected " + r.Expected
	}
	if r.Suggestion != "" {
		text += "; " + r.Suggestion
	}
	return text
}
