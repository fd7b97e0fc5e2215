package raftstore

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
)

// remoteError is how an error travels between members.
type remoteError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// remoteCodes are the errors that stay what they are across members. The order
// matters where one wraps another: what may have happened goes first.
var remoteCodes = []struct {
	code string
	err  error
}{
	{"outcome_unknown", ErrOutcomeUnknown},
	{"not_leader", ErrNotLeader},
	{"overloaded", ErrOverloaded},
	{"too_large", ErrTooLarge},
	{"feature_level", ErrFeatureLevel},
	{"unknown_member", ErrUnknownMember},
	{"last_member", ErrLastMember},
	{"not_member", ErrNotMember},
	{"quorum_at_risk", ErrQuorumAtRisk},
	{"lagging", ErrLagging},
	{"transfer", ErrTransfer},
	{"name_taken", ErrNameTaken},
	{"join_token_missing", ErrJoinTokenMissing},
	{"join_token_malformed", ErrJoinTokenMalformed},
	{"join_token_other_cluster", ErrJoinTokenOtherCluster},
	{"join_token_unknown", ErrJoinTokenUnknown},
	{"join_token_expired", ErrJoinTokenExpired},
	{"join_token_used", ErrJoinTokenUsed},
	{"join_token_replica", ErrJoinTokenReplica},
	{"deadline", context.DeadlineExceeded},
	{"cancelled", context.Canceled},
}

// encodeError writes an error for another member. That this node is closed,
// has halted or rebuilds itself means to others that the leader is elsewhere, or will be.
func encodeError(err error) []byte {
	e := remoteError{Code: "other", Message: err.Error()}
	if !errors.Is(err, ErrOutcomeUnknown) && (errors.Is(err, ErrClosed) || errors.Is(err, ErrHalted) || errors.Is(err, ErrRebuilding)) {
		err = ErrNotLeader
	}
	for _, known := range remoteCodes {
		if errors.Is(err, known.err) {
			e.Code = known.code
			break
		}
	}
	text, err := json.Marshal(e)
	if err != nil { // a message that is not UTF-8
		return []byte(`{"code":"other","message":"unprintable"}`)
	}
	return text
}

// peerError is an error of another member: errors.Is finds the sentinel in it.
type peerError struct {
	message string
	err     error
}

func (e *peerError) Error() string { return e.message }
func (e *peerError) Unwrap() error { return e.err }

func decodeError(text []byte) error {
	var e remoteError
	if err := json.Unmarshal(text, &e); err != nil {
		return &peerError{"a member answered with an error that cannot be read", ErrOutcomeUnknown}
	}
	for _, known := range remoteCodes {
		if known.code == e.Code {
			return &peerError{e.Message, known.err}
		}
	}
	return &peerError{message: e.Message}
}
