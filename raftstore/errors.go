package raftstore

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Errors of a node. A rejection by the state machine (an unknown store, a tuple
// that the schema does not admit, a failed precondition) is a *Rejection instead.
var (
	// ErrNotLeader means that no leader could be reached before the deadline.
	// Nothing was proposed: the request may be sent again as it is.
	ErrNotLeader = errors.New("no leader of the cluster could be reached; nothing was written, try again")

	// ErrOutcomeUnknown means that a write was proposed and its fate is not known:
	// it may have been applied, may still be, or may be lost. Sending it again with
	// the same idempotency key is safe and tells which.
	ErrOutcomeUnknown = errors.New("the outcome of the write is not known; send it again with the same idempotency key")

	// ErrOverloaded means that the queue of writes is full. Nothing was proposed.
	ErrOverloaded = errors.New("too many writes are waiting; nothing was written, try again later")

	// ErrTooLarge means that a single write is larger than one entry of the log may
	// be. Nothing was proposed.
	ErrTooLarge = errors.New("the write is too large for one change; split it or import it in parts")

	// ErrHalted means that this node met a fault of its own (its disk, mostly) and
	// stopped serving. Other nodes are not concerned. Status says what it was.
	ErrHalted = errors.New("this node has halted after a local fault; see its log")

	// ErrRebuilding means that this node found its data damaged and is rebuilding it
	// from the other members. It serves again by itself.
	ErrRebuilding = errors.New("this node found its data damaged and rebuilds it from the other members; ask another node")

	// ErrDiffers means that this node holds something else at a revision than other
	// members do.
	ErrDiffers = errors.New("this node's data differs from the other members'")

	// ErrClosed means that the node was closed.
	ErrClosed = errors.New("the node is closed")

	// ErrNotReady means that the node has not caught up with its cluster yet.
	ErrNotReady = errors.New("the node has not caught up with its cluster yet")

	// ErrNotMember means that the node is no member of its cluster: it was removed,
	// or it is still joining. It hears of no change, so it answers nothing.
	ErrNotMember = errors.New("this node is no member of its cluster: it was removed, or has not joined yet; ask another node")

	// ErrLastMember means that the only member was to be removed.
	ErrLastMember = errors.New("the last member cannot be removed: it is the cluster; stop the node instead")

	// ErrTokenMalformed means that a text is no token of any cluster's, or was altered.
	ErrTokenMalformed = errors.New("the token is malformed or was altered; use tokens as they were answered")

	// ErrTokenOtherCluster means that a token was minted by another cluster, as by
	// the one that a backup was taken from.
	ErrTokenOtherCluster = errors.New("the token is from another cluster; drop it and read afresh")

	// ErrTokenAhead means that a token's revision is beyond the leader's log: the
	// cluster lost it (restored from a backup, say) or never had it.
	ErrTokenAhead = errors.New("the token is ahead of the cluster's log; drop it and read afresh")

	// ErrRevisionTimeout means that this node did not apply a revision in time.
	ErrRevisionTimeout = errors.New("this node did not reach the wanted revision in time; try again or ask another node")

	// ErrRevisionUnavailable means that an exact revision is outside of the window
	// of history that is kept.
	ErrRevisionUnavailable = errors.New("the revision is outside of the history that is kept")

	// ErrSealed means that a sealed text (a cursor) is not authentic for its purpose.
	ErrSealed = errors.New("the sealed text is malformed, was altered, or is for another purpose or cluster")

	// ErrFeatureLevel means that a node may not join: it does not understand every
	// command that the cluster uses.
	ErrFeatureLevel = errors.New("a node's feature level is too low; upgrade it first")

	// ErrNewerData means that the folder was written by a newer build.
	ErrNewerData = errors.New("the data folder was written by a newer build; run that one, or a newer one")

	// ErrNameTaken means that a certificate speaks for another node than the one
	// that it was first seen with.
	ErrNameTaken = errors.New("the node is known by another certificate's name; a node keeps the name of its certificate")

	// What is wrong with a join token. Nothing has changed, here or there.
	ErrJoinTokenMissing      = errors.New("joining needs a join token; make one with: pemba cluster token")
	ErrJoinTokenMalformed    = errors.New("the join token is malformed; use it as it was made, from pemba-join- on")
	ErrJoinTokenOtherCluster = errors.New("the join token is from another cluster; make one at a member of this one")
	ErrJoinTokenUnknown      = errors.New("the cluster knows no such join token; make a new one with: pemba cluster token")
	ErrJoinTokenExpired      = errors.New("the join token has expired; make a new one with: pemba cluster token")
	ErrJoinTokenUsed         = errors.New("another node has joined with this join token; make one for each node with: pemba cluster token")
	ErrJoinTokenReplica      = errors.New("the join token is for a replica; start the node as one, or make a token for a member with a vote")

	// ErrJoinTokenLife means that a join token was to live for no time, or too long.
	ErrJoinTokenLife = fmt.Errorf("a join token lives for more than no time and at most %s", MaxJoinTokenLife)

	// ErrExistingState means that a folder already holds a node of another kind
	// than the one that was asked for.
	ErrExistingState = errors.New("the data folder already holds state")

	// ErrInsecurePort means that a cluster port without TLS would be open to others
	// than this machine.
	ErrInsecurePort = errors.New("a cluster port without TLS lets in whoever reaches it: give the node certificates, or say that this is wanted")

	// ErrOtherCluster means that two nodes that were to speak with each other belong
	// to different clusters: an address was given away, or a folder was mixed up.
	ErrOtherCluster = errors.New("the member belongs to another cluster than this node's folder; join with an empty folder, or name a member of the folder's own cluster")

	// ErrCertificate means that one end of a connection between members does not
	// take the other's certificate.
	ErrCertificate = errors.New("a certificate was refused")

	// ErrProtocol means that what answers at a member's address is no cluster port
	// that this node can speak with.
	ErrProtocol = errors.New("the other end is not a cluster port of this kind")

	// ErrRecoveryUnconfirmed means that a recovery was not confirmed by the cluster's id.
	ErrRecoveryUnconfirmed = errors.New("a recovery is confirmed by the cluster's id; nothing was changed")

	// ErrRecoveryNeedless means that a node is in no need of recovery.
	ErrRecoveryNeedless = errors.New("the node needs no recovery: start it as it is")

	// ErrRecoveryUnderWay means that a recovery of the folder was cut off.
	ErrRecoveryUnderWay = errors.New("a recovery of this folder was cut off; run it again before the node is started")

	// ErrQuorumAtRisk means that without a member's vote the others could elect nobody.
	ErrQuorumAtRisk = errors.New("without this member's vote the others would be no majority; bring members back first, or remove those that are gone")

	// ErrLagging means that a member has to catch up before it gets a vote.
	ErrLagging = errors.New("the member has not caught up with the leader; try again when it has")

	// ErrTransfer means that leadership was not handed over. The leader leads on.
	ErrTransfer = errors.New("leadership could not be handed over")

	// ErrUnknownMember means that no member has the id.
	ErrUnknownMember = errors.New("no member of the cluster has this id")
)

// errFeatureUnused is what asks too much of a cluster that was made by an older build.
var errFeatureUnused = fmt.Errorf("%w: the cluster does not use it yet; raise its level once all members run this build", ErrFeatureLevel)

// joinRefusals are the answers to a node that joins which no repetition changes.
var joinRefusals = []error{
	ErrFeatureLevel, ErrOtherCluster, ErrNameTaken, ErrJoinTokenMissing, ErrJoinTokenMalformed, ErrJoinTokenOtherCluster,
	ErrJoinTokenUnknown, ErrJoinTokenExpired, ErrJoinTokenUsed, ErrJoinTokenReplica,
}

// IsJoinRefusal says whether asking again is of no use.
func IsJoinRefusal(err error) bool {
	return slices.ContainsFunc(joinRefusals, func(refusal error) bool { return errors.Is(err, refusal) })
}

// RevisionError says which revision could not be read and why: errors.Is finds
// ErrTokenAhead, ErrRevisionTimeout or ErrRevisionUnavailable in it.
type RevisionError struct {
	Revision tuple.Revision // what was asked for
	Floor    tuple.Revision // the oldest revision that can be read, where it is known
	Applied  tuple.Revision // what this node has applied
	Err      error
}

// Error names no revision: they show how much the cluster writes, and the text
// may reach a tenant.
func (e *RevisionError) Error() string { return e.Err.Error() }

// Unwrap returns the sentinel.
func (e *RevisionError) Unwrap() error { return e.Err }

// unknownOutcome wraps what went wrong after a write was proposed.
func unknownOutcome(cause error) error {
	return fmt.Errorf("%w (%w)", ErrOutcomeUnknown, cause)
}

// notProposed wraps what went wrong before a write was proposed.
func notProposed(cause error) error {
	if cause == nil || errors.Is(cause, ErrNotLeader) {
		return ErrNotLeader
	}
	return fmt.Errorf("%w (%w)", ErrNotLeader, cause)
}
