package server

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// A cursor is sealed by the cluster, so that it cannot be made up or altered,
// and names all that its page hangs on: the store (by its number, which a new
// store of the same name does not get), the request, the revision, the instant,
// and the last entry that was given out.
type cursor struct {
	Store    uint32         `json:"s"`
	Request  [32]byte       `json:"r"` // digest of the route and the request, page and consistency left out
	Revision tuple.Revision `json:"v"`
	Instant  int64          `json:"t"` // Unix nanoseconds
	After    string         `json:"a"`
}

const cursorPurpose = "pemba cursor"

// requestDigest tells requests apart. The request is a struct of package api
// whose page and consistency have been zeroed.
func requestDigest(route string, request any) ([32]byte, error) {
	text, err := json.Marshal(request, json.Deterministic(true))
	if err != nil {
		return [32]byte{}, err
	}
	h := sha256.New()
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(route)))
	h.Write(length[:])
	h.Write([]byte(route))
	h.Write(text)
	return [32]byte(h.Sum(nil)), nil
}

func (s *Server) sealCursor(c cursor) (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return s.node.Seal(cursorPurpose, text)
}

// openCursor opens a cursor of this very request; reopen checks its store.
func (s *Server) openCursor(sealed string, digest [32]byte) (cursor, error) {
	text, err := s.node.Unseal(cursorPurpose, sealed)
	if err != nil {
		return cursor{}, cursorProblem(api.InvalidCursor, "the cursor was not made by this cluster, or it was altered", err)
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil {
		return cursor{}, cursorProblem(api.InvalidCursor, "the cursor was made by another version of the server", err)
	}
	if c.Request != digest {
		return cursor{}, cursorProblem(api.ForeignCursor, "the cursor is of another request; but for limit and consistency, a request is repeated as it was", nil)
	}
	return c, nil
}

func cursorProblem(code api.Code, message string, cause error) error {
	if code == api.InvalidCursor && cause != nil && !errors.Is(cause, raftstore.ErrSealed) {
		return cause // the node could not look, which says nothing of the cursor
	}
	return api.Faults{{Code: code, Pointer: "/cursor", Message: message, Suggestion: "ask for the first page again, without a cursor"}}.Problem()
}

func (c cursor) instant() time.Time { return time.Unix(0, c.Instant).UTC() }
