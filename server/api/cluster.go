package api

import "time"

// JoinTokenRequest is the body of POST /v1/cluster/tokens; it may be left out.
type JoinTokenRequest struct {
	Seconds int64 `json:"seconds,omitzero"` // how long the token is valid: an hour without it, at most a week
	Replica bool  `json:"replica,omitzero"` // for a node without a vote
}

// JoinTokenResponse answers POST /v1/cluster/tokens.
type JoinTokenResponse struct {
	JoinToken string    `json:"join_token"` // a secret: one node can join with it
	ExpiresAt time.Time `json:"expires_at"`
}
