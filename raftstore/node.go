// Package raftstore is Pemba's store: tuples of many stores, kept the same on
// every node of a cluster by Raft.
//
// Call Open first. Node.Write and Node.PutSchema change a store from any node;
// Node.View pins a revision to read from. DESIGN.md has the reasons.
package raftstore

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/pemba-authz/pemba/raftstore/raftlog"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Node is one member of a cluster, or a cluster of one. All its methods may be
// called from several goroutines.
type Node struct {
	config Config
	id     string
	log    *slog.Logger

	raftLog     *raftlog.Log
	state       *state.State
	snapshots   *snapshots
	fsm         *fsm
	credentials *pki.Credentials // nil: the cluster port has no TLS
	port        *clusterPort     // nil: a single node without a port
	peers       *peers           // nil like port
	raft        *raft.Raft
	transport   raft.Transport
	proposer    *proposer
	localReads  *readBatch
	remoteReads *readBatch
	turn        *turn
	sealing     atomic.Pointer[sealer] // nil until the cluster's identity is known

	handouts handouts
	clock    *clock

	ctx        context.Context // ends when the node closes or halts
	cancel     context.CancelFunc
	background sync.WaitGroup // what ends with ctx
	halting    sync.WaitGroup
	rebuilding sync.WaitGroup
	stopOnce   sync.Once
	closeOnce  sync.Once
	closeErr   error

	recovering bool           // opened by recovery, and not to run
	refused    chan struct{}  // closed where the node may not join
	started    chan struct{}  // closed once start has ended
	ready      chan struct{}  // closed once the node has caught up
	yielding   atomic.Bool    // leadership is being handed over
	barriers   atomic.Int64   // that are on their way through the log
	telling    sync.WaitGroup // what transfer asks of other members
	stalled    atomic.Bool    // the log's disk hangs
	full       atomic.Bool    // the disk is nearly full
	outcast    atomic.Bool    // it was removed, as others say, and hears from no leader
	cutting    sync.Mutex     // held while the two are turned into being cut off

	mu        sync.Mutex // guards what follows
	fault     error      // why the node halted
	closed    bool
	hindrance string // why it is not ready, where there is more to say
	refusal   error  // why it may not join
	rebuilds  rebuilds
}

// PutStore creates a store, or finds the one of that name: StoreInfo.New tells.
func (n *Node) PutStore(ctx context.Context, name string) (StoreInfo, error) {
	return n.PutStoreIndexed(ctx, name, command.IndexUnsaid)
}

// PutStoreIndexed is PutStore for a store whose graph is read where index says.
// One that is there and says otherwise is a *Rejection, store_index_differs.
// ErrFeatureLevel where the cluster does not use indexes on disk yet.
func (n *Node) PutStoreIndexed(ctx context.Context, name string, index command.StoreIndex) (StoreInfo, error) {
	put := command.Command{Store: name, Body: &command.PutStore{Index: index}}
	if index != command.IndexUnsaid {
		if put.Feature = command.FeatureIndex; n.state.Feature() < put.Feature {
			return StoreInfo{}, errFeatureUnused
		}
	}
	result, err := n.propose(ctx, put)
	if err != nil {
		return StoreInfo{}, err
	}
	if result.Store == nil {
		return StoreInfo{}, errors.New("apply described no store")
	}
	return *result.Store, nil
}

// Stores lists the stores by name, as this node knows them.
func (n *Node) Stores(context.Context) ([]StoreInfo, error) {
	if err := n.answering(); err != nil {
		return nil, err
	}
	return n.state.Stores(), nil
}

// Store describes one store as this node knows it. A missing one is a *Rejection
// with the code store_not_found.
func (n *Node) Store(_ context.Context, name string) (StoreInfo, error) {
	if err := n.answering(); err != nil {
		return StoreInfo{}, err
	}
	info, err := n.state.Store(name)
	if err != nil {
		return StoreInfo{}, n.viewError(name, err)
	}
	return info, nil
}

// DeleteStore deletes a store with all that is in it.
func (n *Node) DeleteStore(ctx context.Context, name string) (WriteResult, error) {
	return n.write(ctx, command.Command{Store: name, Body: &command.DeleteStore{}})
}

// Write changes tuples of a store. The error is a *Rejection where the state
// machine refused, ErrOutcomeUnknown where the write may have happened, and
// otherwise says that nothing was written.
func (n *Node) Write(ctx context.Context, store string, request WriteRequest) (WriteResult, error) {
	return n.write(ctx, command.Command{Store: store, Body: &request})
}

// MaxImport is the most tuples of one Import: an entry holds up apply for as long
// as it takes, and small writes wait behind it.
const MaxImport = 1000

// Import touches tuples, at most MaxImport of them. Sending a chunk again is harmless.
func (n *Node) Import(ctx context.Context, store string, tuples []tuple.Tuple) (WriteResult, error) {
	if len(tuples) > MaxImport {
		return WriteResult{}, ErrTooLarge
	}
	return n.write(ctx, command.Command{Store: store, Body: &command.Import{Tuples: tuples}})
}

// PutSchema writes a store's schema. Errors are as for Write.
func (n *Node) PutSchema(ctx context.Context, store string, request SchemaRequest) (SchemaResult, error) {
	written, err := n.write(ctx, command.Command{Store: store, Body: &request})
	if err != nil {
		return SchemaResult{}, err
	}
	if written.Schema == nil {
		return SchemaResult{}, errors.New("apply described no schema")
	}
	return SchemaResult{SchemaResult: *written.Schema, Token: written.Token}, nil
}

// ResolveQuarantine takes tuples out of quarantine: back among the live ones, or
// away for good. Errors are as for Write.
func (n *Node) ResolveQuarantine(ctx context.Context, store string, request command.ResolveQuarantine) (WriteResult, error) {
	return n.write(ctx, command.Command{Store: store, Body: &request})
}

func (n *Node) write(ctx context.Context, c command.Command) (WriteResult, error) {
	result, err := n.propose(ctx, c)
	if err != nil {
		return WriteResult{Result: result}, err
	}
	token, err := n.Token(result.Revision)
	if err != nil { // written, yet this node has not caught up enough to mint a token
		return WriteResult{}, unknownOutcome(err)
	}
	return WriteResult{Result: result, Token: token}, nil
}

// Token seals a revision for clients. Errors: ErrNotReady.
func (n *Node) Token(r tuple.Revision) (tuple.Token, error) {
	s, err := n.sealer()
	if err != nil {
		return "", err
	}
	return s.token(r)
}

// ParseToken returns the revision of a token of this cluster. Errors:
// ErrTokenMalformed, ErrTokenOtherCluster, ErrNotReady.
func (n *Node) ParseToken(t tuple.Token) (tuple.Revision, error) {
	s, err := n.sealer()
	if err != nil {
		return 0, err
	}
	return s.parseToken(t)
}

// Seal encrypts and authenticates a text under the cluster's secret, for one
// purpose: every node of the cluster can Unseal it, nobody else can read or alter
// it. Errors: ErrNotReady.
func (n *Node) Seal(purpose string, plain []byte) (string, error) {
	s, err := n.sealer()
	if err != nil {
		return "", err
	}
	return s.seal("caller "+purpose, plain)
}

// Unseal opens what Seal sealed for the same purpose. Errors: ErrSealed, ErrNotReady.
func (n *Node) Unseal(purpose, sealed string) ([]byte, error) {
	s, err := n.sealer()
	if err != nil {
		return nil, err
	}
	return s.unseal("caller "+purpose, sealed)
}

// sealer comes from the replicated state, where it never changes.
func (n *Node) sealer() (*sealer, error) {
	if s := n.sealing.Load(); s != nil {
		return s, nil
	}
	id, secret := n.state.Cluster()
	if id.IsZero() {
		return nil, ErrNotReady
	}
	s := newSealer(id, secret)
	n.sealing.Store(s)
	return s, nil
}

// clusterID is zero until the node knows its cluster.
func (n *Node) clusterID() command.ClusterID {
	id, _ := n.state.Cluster()
	return id
}
