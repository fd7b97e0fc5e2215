package api

import (
	"maps"
	"slices"
)

// Code is the stable name of what went wrong. It is an error itself, so that
// errors.Is(err, api.UnknownStore) works on both sides of the wire.
type Code string

// Error returns the code.
func (c Code) Error() string { return string(c) }

// The codes. Their status and meaning stand in the catalogue below and in
// docs/http.md.
const (
	// The request itself.
	InvalidRequest       Code = "invalid_request"
	MalformedJSON        Code = "malformed_json"
	DuplicateMember      Code = "duplicate_member"
	UnknownMember        Code = "unknown_member"
	MissingMember        Code = "missing_member"
	WrongType            Code = "wrong_type"
	InvalidValue         Code = "invalid_value"
	TooMany              Code = "too_many"
	BodyTooLarge         Code = "body_too_large"
	UnsupportedMediaType Code = "unsupported_media_type"
	UnknownRoute         Code = "unknown_route"
	MethodNotAllowed     Code = "method_not_allowed"
	InvalidToken         Code = "invalid_token"
	ForeignToken         Code = "foreign_token"
	InvalidCursor        Code = "invalid_cursor"
	ForeignCursor        Code = "foreign_cursor"

	// What it names.
	UnknownStore      Code = "unknown_store"
	InvalidStoreName  Code = "invalid_store_name"
	StoreIndexDiffers Code = "store_index_differs"
	UnknownType       Code = "unknown_type"
	UnknownRelation   Code = "unknown_relation"
	UnknownCondition  Code = "unknown_condition"
	UnknownNode       Code = "unknown_node"
	StoreDeleted      Code = "store_deleted"
	LastMember        Code = "last_member"
	JoinRefused       Code = "join_refused"
	QuorumAtRisk      Code = "quorum_at_risk"
	MemberLagging     Code = "member_lagging"
	TransferFailed    Code = "transfer_failed"
	NoSchema          Code = "no_schema"

	// Tuples and writes.
	NotARelation          Code = "not_a_relation"
	SubjectNotAdmitted    Code = "subject_not_admitted"
	ConditionNotAdmitted  Code = "condition_not_admitted"
	ConditionRequired     Code = "condition_required"
	ContextUnknownKey     Code = "context_unknown_key"
	ContextType           Code = "context_type"
	ExpiryNotAdmitted     Code = "expiry_not_admitted"
	ExpiryRequired        Code = "expiry_required"
	Sealed                Code = "sealed"
	Singleton             Code = "singleton"
	AtMost                Code = "at_most"
	SelfTuple             Code = "self_tuple"
	TupleExists           Code = "tuple_exists"
	DuplicateTuple        Code = "duplicate_tuple"
	PreconditionFailed    Code = "precondition_failed"
	PreconditionTooOld    Code = "precondition_too_old"
	PreconditionTooBroad  Code = "precondition_too_broad"
	IdempotencyMismatch   Code = "idempotency_mismatch"
	OutcomeUnknownExpired Code = "outcome_unknown_expired"
	WriteTooLarge         Code = "write_too_large"
	InvalidTuple          Code = "invalid_tuple"

	// Schemas.
	InvalidSchema  Code = "invalid_schema"
	OrphanedTuples Code = "orphaned_tuples"
	SchemaChanged  Code = "schema_changed"
	NoSuchSchema   Code = "no_such_schema"
	FeatureLevel   Code = "feature_level"

	// Consistency and evaluation.
	TokenAhead       Code = "token_ahead"
	RevisionTimeout  Code = "revision_timeout"
	HistoryExpired   Code = "history_expired"
	BudgetExceeded   Code = "budget_exceeded"
	ConditionFailed  Code = "condition_failed"
	DeadlineExceeded Code = "deadline_exceeded"

	// Backups: what the command line says of files and folders. No server sends these.
	BackupForeign   Code = "backup_foreign"
	BackupNewer     Code = "backup_newer"
	BackupTruncated Code = "backup_truncated"
	BackupDamaged   Code = "backup_damaged"
	FolderNotEmpty  Code = "folder_not_empty"

	// The server.
	Overloaded     Code = "overloaded"
	NoLeader       Code = "no_leader"
	OutcomeUnknown Code = "outcome_unknown"
	NotReady       Code = "not_ready"
	StorageFailed  Code = "storage_failed"
	Cancelled      Code = "cancelled"
	Internal       Code = "internal"
)

// Entry is what every problem of a code has in common.
type Entry struct {
	Status int
	Title  string
	Retry  bool // the same request may succeed a little later
}

var catalogue = map[Code]Entry{
	InvalidRequest:       {400, "The request has several faults", false},
	MalformedJSON:        {400, "The body is not well-formed JSON", false},
	DuplicateMember:      {400, "A JSON object has a member twice", false},
	UnknownMember:        {400, "The request has a member that is not known here", false},
	MissingMember:        {400, "A member that must be there is missing", false},
	WrongType:            {400, "A member has a value of the wrong JSON type", false},
	InvalidValue:         {400, "A value is not what it must be", false},
	TooMany:              {400, "The request holds more than the limit of something", false},
	BodyTooLarge:         {413, "The body is larger than the limit", false},
	UnsupportedMediaType: {415, "The body is not of a media type that is read here", false},
	UnknownRoute:         {404, "There is nothing at this path", false},
	MethodNotAllowed:     {405, "The path does not know this method", false},
	InvalidToken:         {400, "The token is malformed or was altered", false},
	ForeignToken:         {400, "The token is from another cluster", false},
	InvalidCursor:        {400, "The cursor was not made by this cluster", false},
	ForeignCursor:        {400, "The cursor belongs to another request", false},

	UnknownStore:      {404, "There is no such store", false},
	InvalidStoreName:  {400, "A store may not be named like this", false},
	StoreIndexDiffers: {409, "The store was made with another index", false},
	UnknownType:       {422, "The schema has no such type", false},
	UnknownRelation:   {422, "The type has no such relation or permission", false},
	UnknownCondition:  {422, "The schema has no such condition", false},
	UnknownNode:       {404, "The cluster has no such node", false},
	StoreDeleted:      {410, "The store that was watched is gone", false},
	LastMember:        {409, "The cluster has no other member", false},
	JoinRefused:       {403, "The cluster does not let the node join", false},
	QuorumAtRisk:      {409, "Without this member the others would be no majority", false},
	MemberLagging:     {409, "The member has to catch up first", true},
	TransferFailed:    {503, "Leadership was not handed over", true},
	NoSchema:          {422, "The store has no schema yet", false},

	NotARelation:          {422, "A permission is computed: no tuple may write it", false},
	SubjectNotAdmitted:    {422, "The relation does not admit such a subject", false},
	ConditionNotAdmitted:  {422, "The relation does not admit the tuple with this condition, or without one", false},
	ConditionRequired:     {422, "The relation demands that the tuple carries a condition", false},
	ContextUnknownKey:     {422, "The context has a value that the condition has no parameter for", false},
	ContextType:           {422, "A value of the context is not of its parameter's type", false},
	ExpiryNotAdmitted:     {422, "The relation does not admit tuples that expire", false},
	ExpiryRequired:        {422, "The relation demands that the tuple expires", false},
	Sealed:                {422, "The schema fixes who is in this userset", false},
	Singleton:             {422, "The type has one object, and this is not it", false},
	AtMost:                {409, "The relation has as many tuples as it may", false},
	SelfTuple:             {422, "The schema refuses a tuple of a userset to itself", false},
	TupleExists:           {409, "The tuple to be created is there", false},
	DuplicateTuple:        {400, "Two operations name the same tuple", false},
	PreconditionFailed:    {412, "A precondition does not hold", false},
	PreconditionTooOld:    {410, "The token of a precondition is older than what is known of changes", false},
	PreconditionTooBroad:  {422, "A precondition would look at more tuples than it may", false},
	IdempotencyMismatch:   {422, "The idempotency key was used for another body", false},
	OutcomeUnknownExpired: {409, "What became of the first use of this idempotency key is no longer known", false},
	WriteTooLarge:         {413, "The write is larger than one change may be", false},
	InvalidTuple:          {422, "The schema does not admit the tuple", false},

	InvalidSchema:  {422, "The schema has errors", false},
	OrphanedTuples: {409, "The schema would no longer admit tuples that are there", false},
	SchemaChanged:  {412, "The store's schema is another one than If-Match names", false},
	NoSuchSchema:   {404, "The store had no schema at this revision", false},
	FeatureLevel:   {409, "A node of the cluster is too old for this", false},

	TokenAhead:       {409, "The token is of a revision that this cluster has not reached", true},
	RevisionTimeout:  {503, "The node did not reach the wanted revision in time", true},
	HistoryExpired:   {410, "The revision is no longer kept", false},
	BudgetExceeded:   {503, "The evaluation needs more work than one request may", false},
	ConditionFailed:  {422, "A condition could not be evaluated", false},
	DeadlineExceeded: {504, "The request took longer than it may", false},

	BackupForeign:   {422, "The file is no backup of Pemba", false},
	BackupNewer:     {422, "The backup was made by a newer build", false},
	BackupTruncated: {422, "The backup was cut off", false},
	BackupDamaged:   {422, "The backup was altered or damaged", false},
	FolderNotEmpty:  {409, "The folder holds something already", false},

	Overloaded:     {503, "The server has as much to do as it can", true},
	NoLeader:       {503, "The cluster has no leader at the moment", true},
	OutcomeUnknown: {503, "Whether the write was made is not known", false},
	NotReady:       {503, "The node does not serve at the moment", true},
	StorageFailed:  {503, "The storage failed", false},
	Cancelled:      {499, "The client went away", false},
	Internal:       {500, "The server is at fault", false},
}

// Catalogue returns what the problems of a code have in common.
func Catalogue(code Code) (Entry, bool) {
	entry, ok := catalogue[code]
	return entry, ok
}

// Codes lists every code of a problem, sorted. Faults in schema files have
// codes of their own beside these: those of the language.
func Codes() []Code { return slices.Sorted(maps.Keys(catalogue)) }
