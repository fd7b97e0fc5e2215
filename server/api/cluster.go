package api

import "time"

// FeatureRequest is the body of POST /v1/cluster/feature; it may be left out.
type FeatureRequest struct {
	Level uint32 `json:"level,omitzero"` // 0: the highest that the asked node's build knows
}

// FeatureResponse answers POST /v1/cluster/feature.
type FeatureResponse struct {
	Level uint32 `json:"level"` // that the cluster uses now
}

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
