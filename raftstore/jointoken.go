package raftstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// A join token is the text "pemba-join-" and url-safe base64 of: the cluster's id,
// the token's id, a secret of 256 bits. The cluster remembers a hash of the secret.
const (
	joinTokenPrefix = "pemba-join-"
	joinSecretBytes = 32
	joinTokenBytes  = len(command.ClusterID{}) + len(command.TokenID{}) + joinSecretBytes
)

// MaxJoinTokenLife is how long a join token may be valid at most.
const MaxJoinTokenLife = 7 * 24 * time.Hour

// JoinToken lets one node join the cluster that made it. It is a secret, and does
// not print itself: Text does.
type JoinToken struct {
	cluster command.ClusterID
	id      command.TokenID
	secret  [joinSecretBytes]byte
}

// String hides the secret.
func (JoinToken) String() string { return "[join token]" }

// GoString hides the secret.
func (JoinToken) GoString() string { return "[join token]" }

// Text is what is handed to the node that joins.
func (t JoinToken) Text() string {
	b := append(append(append([]byte{}, t.cluster[:]...), t.id[:]...), t.secret[:]...)
	return joinTokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// ParseJoinToken reads what Text wrote; white space around it does not count.
// Errors: ErrJoinTokenMalformed.
func ParseJoinToken(text string) (JoinToken, error) {
	coded, ok := strings.CutPrefix(strings.TrimSpace(text), joinTokenPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(coded)
	if !ok || err != nil || len(b) != joinTokenBytes {
		return JoinToken{}, ErrJoinTokenMalformed
	}
	var t JoinToken
	b = b[copy(t.cluster[:], b):]
	b = b[copy(t.id[:], b):]
	copy(t.secret[:], b)
	return t, nil
}

// NewJoinToken makes a token with which one node can join within a time, as a
// replica without a vote where that is wanted. Errors: ErrFeatureLevel, *Rejection
// (too_many_join_tokens), those of Write.
func (n *Node) NewJoinToken(ctx context.Context, life time.Duration, replica bool) (JoinToken, time.Time, error) {
	if life <= 0 || life > MaxJoinTokenLife {
		return JoinToken{}, time.Time{}, ErrJoinTokenLife
	}
	if err := n.answering(); err != nil {
		return JoinToken{}, time.Time{}, err
	}
	if n.state.Feature() < command.FeatureMembership {
		return JoinToken{}, time.Time{}, errFeatureUnused
	}
	t := JoinToken{cluster: n.clusterID()}
	if t.cluster.IsZero() {
		return JoinToken{}, time.Time{}, ErrNotReady
	}
	rand.Read(t.id[:]) // never fails
	rand.Read(t.secret[:])
	expires := n.config.Clock().Add(life)
	_, err := n.propose(ctx, command.Command{Feature: command.FeatureMembership, Body: &command.PutJoinToken{Token: command.JoinToken{
		ID: t.id, Hash: sha256.Sum256(t.secret[:]), Expires: expires.UnixNano(), Replica: replica,
	}}})
	if err != nil {
		return JoinToken{}, time.Time{}, err
	}
	return t, expires, nil
}

// spendToken lets a node in that shows a token, or says why not. It runs on the
// leader. Whether a token has expired or was used is decided in apply.
func (n *Node) spendToken(ctx context.Context, request joinRequest) error {
	if request.Token == "" {
		if n.credentials == nil && n.config.Insecure {
			return nil // whoever reaches the port can do all that a member can
		}
		return ErrJoinTokenMissing
	}
	t, err := ParseJoinToken(request.Token)
	if err != nil {
		return err
	}
	if t.cluster != n.clusterID() {
		return ErrJoinTokenOtherCluster
	}
	known, ok := n.state.JoinToken(t.id)
	hash := sha256.Sum256(t.secret[:])
	if subtle.ConstantTimeCompare(hash[:], known.Hash[:]) != 1 || !ok {
		return ErrJoinTokenUnknown
	}
	if known.Replica && !request.Replica {
		return ErrJoinTokenReplica
	}
	_, err = n.proposer.propose(ctx, command.Command{Feature: command.FeatureMembership, Body: &command.UseJoinToken{ID: t.id, Node: request.ID}})
	var rejection *Rejection
	if errors.As(err, &rejection) {
		switch rejection.Code {
		case command.CodeJoinTokenUnknown:
			return ErrJoinTokenUnknown
		case command.CodeJoinTokenExpired:
			return ErrJoinTokenExpired
		case command.CodeJoinTokenUsed:
			return ErrJoinTokenUsed
		}
	}
	return err
}
