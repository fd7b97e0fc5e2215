package command

// Code names why a command was rejected. Codes are stable: clients switch on them.
type Code string

// The codes that apply itself gives. Admission of a tuple under the schema adds
// its own (schema.Refusal).
const (
	CodeClusterExists         Code = "cluster_exists"
	CodeStoreNotFound         Code = "store_not_found"
	CodeStoreNameInvalid      Code = "store_name_invalid"
	CodeStoreIndexDiffers     Code = "store_index_differs"
	CodeSchemaMissing         Code = "schema_missing"
	CodeSchemaConflict        Code = "schema_conflict"
	CodeSchemaInvalid         Code = "schema_invalid"
	CodeOrphanedTuples        Code = "orphaned_tuples"
	CodeTupleExists           Code = "tuple_exists"
	CodeTupleInvalid          Code = "tuple_invalid"
	CodeDuplicateOperation    Code = "duplicate_operation"
	CodeAtMost                Code = "at_most"
	CodePreconditionFailed    Code = "precondition_failed"
	CodePreconditionTooOld    Code = "precondition_too_old"
	CodePreconditionTooBroad  Code = "precondition_too_broad"
	CodeIdempotencyMismatch   Code = "idempotency_mismatch"
	CodeOutcomeUnknownExpired Code = "outcome_unknown_expired"
	CodeFeatureLevel          Code = "feature_level"
	CodeFloorAhead            Code = "floor_ahead"
	CodeMemberInvalid         Code = "member_invalid"
	CodeJoinTokenUnknown      Code = "join_token_unknown"
	CodeJoinTokenExpired      Code = "join_token_expired"
	CodeJoinTokenUsed         Code = "join_token_used"
	CodeTooManyJoinTokens     Code = "too_many_join_tokens"
)

// Rejection says why a command changed nothing. It is decided in apply, the same
// on every node, and is an error.
type Rejection struct {
	Code       Code   `json:"code"`
	Message    string `json:"message"`             // what is wrong, naming the thing
	Suggestion string `json:"suggestion,omitzero"` // what to do
	Operation  int    `json:"operation"`           // which operation, tuple or precondition of the request; -1: none
	// Faults lists everything that is wrong where there is more than one thing,
	// the first included; at most MaxFaults.
	Faults  []Rejection   `json:"faults,omitzero"`
	Orphans []OrphanShape `json:"orphans,omitzero"` // CodeOrphanedTuples
}

// MaxFaults is the most faults that a rejection lists.
const MaxFaults = 50

// Error returns the message.
func (r *Rejection) Error() string { return r.Message }

// Is makes errors.Is(err, &Rejection{Code: c}) ask for the code.
func (r *Rejection) Is(target error) bool {
	t, ok := target.(*Rejection)
	return ok && t.Code == r.Code && t.Message == ""
}
