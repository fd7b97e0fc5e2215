package api

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// EventStream is the media type of server-sent events.
const EventStream = "text/event-stream"

// WatchRequest says what GET …/watch shall give. Its members are the query: token,
// and those of Filter by their JSON names.
type WatchRequest struct {
	Token  tuple.Token // begin behind its revision; empty: with what happens from now on
	Filter Filter      // of tuples; changes of the schema and the store are always given
}

// WatchLine is one line of the stream, with exactly one member. As server-sent
// events the member's name is the event, its value the data, and its token the id.
type WatchLine struct {
	Change    *Event     `json:"change,omitzero"`
	Heartbeat *Heartbeat `json:"heartbeat,omitzero"`
	Problem   *Problem   `json:"problem,omitzero"` // the last line: why the stream ends
}

// Event is what one revision changed in a store, or with More a part of that.
type Event struct {
	Token   tuple.Token   `json:"token,omitzero"`   // watch from here to go on; absent where More is set
	Time    time.Time     `json:"time"`             // when the log says that it happened
	Store   StoreChange   `json:"store,omitzero"`   // the store itself was created or deleted
	Schema  bool          `json:"schema,omitzero"`  // the schema was written: GET …/schema?revision=TOKEN reads it
	Changes []TupleChange `json:"changes,omitzero"` // in the order in which they are to be applied
	More    bool          `json:"more,omitzero"`    // the next line belongs to the same revision
}

// StoreChange is what became of a store.
type StoreChange string

// The changes of a store.
const (
	StoreWasCreated StoreChange = "created"
	StoreWasDeleted StoreChange = "deleted" // with all that was in it; the stream ends behind it
)

// TupleChange is what became of one tuple: Op, the tuple as it is now, or as it
// was before it went.
type TupleChange struct {
	Op ChangeOp `json:"op"`
	Tuple
	Before *Tuple `json:"before,omitzero"` // of a touch: what it replaced
}

// ChangeOp says what became of a tuple.
type ChangeOp string

// The changes of a tuple. After Created, Touched and Revived it is there; after
// Deleted, Expired and Quarantined it is not; Discarded leaves what is there.
const (
	Created     ChangeOp = "create"
	Touched     ChangeOp = "touch"      // it was there with another condition, context or expiry
	Deleted     ChangeOp = "delete"     // somebody deleted it
	Expired     ChangeOp = "expire"     // its time had come, and it was collected
	Quarantined ChangeOp = "quarantine" // a schema that does not admit it took it away
	Revived     ChangeOp = "revive"     // it came back from quarantine
	Discarded   ChangeOp = "discard"    // it left quarantine for good
)

// Present says whether the tuple is there after the change; known is false for
// one that says nothing of that.
func (op ChangeOp) Present() (present, known bool) {
	switch op {
	case Created, Touched, Revived:
		return true, true
	case Deleted, Expired, Quarantined:
		return false, true
	}
	return false, false
}

// Heartbeat says that nothing is missing up to its token.
type Heartbeat struct {
	Token      tuple.Token `json:"token"`
	NextMillis int64       `json:"next_millis"` // another line comes within so many milliseconds
}

// watchMember is one parameter of the query.
type watchMember struct {
	name  string
	field func(*WatchRequest) *string
}

var watchMembers = []watchMember{
	{"token", func(r *WatchRequest) *string { return (*string)(&r.Token) }},
	{"object", func(r *WatchRequest) *string { return &r.Filter.Object }},
	{"object_type", func(r *WatchRequest) *string { return &r.Filter.ObjectType }},
	{"relation", func(r *WatchRequest) *string { return &r.Filter.Relation }},
	{"subject", func(r *WatchRequest) *string { return &r.Filter.Subject }},
	{"subject_type", func(r *WatchRequest) *string { return &r.Filter.SubjectType }},
	{"subject_id", func(r *WatchRequest) *string { return &r.Filter.SubjectID }},
	{"subject_relation", func(r *WatchRequest) *string { return &r.Filter.SubjectRelation }},
}

// Query returns the request as the query of a URL.
func (r WatchRequest) Query() url.Values {
	query := url.Values{}
	for _, m := range watchMembers {
		if text := *m.field(&r); text != "" {
			query.Set(m.name, text)
		}
	}
	return query
}

// ParseWatch reads the query of a URL. Faults have the parameter as their place.
func ParseWatch(query url.Values) (WatchRequest, Faults) {
	var (
		request WatchRequest
		names   []string
	)
	for _, m := range watchMembers {
		names = append(names, m.name)
		*m.field(&request) = query.Get(m.name)
	}
	return request, known(query, names)
}

// known refuses parameters of a query that are not among the names, or stand
// there more than once.
func known(query url.Values, names []string) Faults {
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch {
		case !slices.Contains(names, name):
			faults = append(faults, Fault{Code: UnknownMember, Pointer: "/" + tuple.Clip(name), Message: "there is no such parameter here",
				Expected: strings.Join(names, ", ")})
		case len(query[name]) > 1:
			faults = append(faults, Fault{Code: DuplicateMember, Pointer: "/" + name, Message: "the parameter stands there more than once"})
		}
	}
	return faults
}
