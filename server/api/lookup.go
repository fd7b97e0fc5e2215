package api

// Page asks for part of a list. A Cursor continues the request it came from, at
// the same revision and instant; everything else of that request is repeated.
type Page struct {
	Limit  int    `json:"limit,omitzero"` // most entries of this page; 0: the server's
	Cursor string `json:"cursor,omitzero"`
}

// LookupObjectsRequest is the body of POST …/lookup/objects: on which objects of
// a type the subject has the permission.
type LookupObjectsRequest struct {
	ObjectType string `json:"object_type"`
	Permission string `json:"permission"`
	Subject    string `json:"subject"`
	Brought
	Moment
	Page
}

// LookupSubjectsRequest is the body of POST …/lookup/subjects: which subjects of
// a type (with SubjectRelation, which of its usersets) have the permission.
type LookupSubjectsRequest struct {
	Object          string `json:"object"`
	Permission      string `json:"permission"`
	SubjectType     string `json:"subject_type"`
	SubjectRelation string `json:"subject_relation,omitzero"`
	Brought
	Moment
	Page
}

// LookupPermissionsRequest is the body of POST …/lookup/permissions: which
// permissions the subject has on the object.
type LookupPermissionsRequest struct {
	Object  string `json:"object"`
	Subject string `json:"subject"`
	Brought
	Moment
	Page
}

// FoundObject is an object that the subject has the permission on.
type FoundObject struct {
	Object  string   `json:"object"`
	Result  Result   `json:"result"` // allowed or conditional
	Missing []string `json:"missing,omitzero"`
}

// FoundSubject is a subject that has the permission. The entry type:* stands
// for everyone of the type who is not named; named ones say of themselves
// whether they are allowed, conditional or excluded.
type FoundSubject struct {
	Subject string   `json:"subject"`
	Result  Result   `json:"result"` // allowed, conditional or excluded
	Missing []string `json:"missing,omitzero"`
}

// FoundPermission is a permission, or relation, that the subject has.
type FoundPermission struct {
	Permission string   `json:"permission"`
	Relation   bool     `json:"relation,omitzero"` // it is a relation, which tuples may write
	Result     Result   `json:"result"`            // allowed or conditional
	Missing    []string `json:"missing,omitzero"`
}

// LookupObjectsResponse is one page; the last one has no cursor.
type LookupObjectsResponse struct {
	Objects []FoundObject `json:"objects"`
	Cursor  string        `json:"cursor,omitzero"`
	Evaluated
}

// LookupSubjectsResponse is one page; the last one has no cursor.
type LookupSubjectsResponse struct {
	Subjects []FoundSubject `json:"subjects"`
	Cursor   string         `json:"cursor,omitzero"`
	Evaluated
}

// LookupPermissionsResponse is one page; the last one has no cursor.
type LookupPermissionsResponse struct {
	Permissions []FoundPermission `json:"permissions"`
	Cursor      string            `json:"cursor,omitzero"`
	Evaluated
}

// StreamEnd is the last line of an NDJSON stream; a stream without one is cut
// and holds only part of the answer.
type StreamEnd struct {
	End     *Evaluated `json:"end,omitzero"`
	Problem *Problem   `json:"problem,omitzero"`
}
