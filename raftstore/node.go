// Package raftstore is Pemba's store: tuples of many stores, kept the same on
// every node of a cluster by Raft.
//
// Call Open first. Node.Write and Node.PutSchema change a store from any node;
// Node.View pins a revision to read from.
package raftstore

import (
	"context"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Node is one member of a cluster, or a cluster of one. All its methods may be
// called from several goroutines.
type Node struct {
	config Config
}

// Open starts a node on Config.Dir. A node that is alone in its cluster is ready
// when Open returns; another becomes ready on its own, see WaitReady. The context
// bounds Open, not the node.
func Open(ctx context.Context, config Config) (*Node, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Node{config: config}, nil
}

// Close hands leadership over where it can, stops the node and waits for all
// that it started. Acknowledged writes are durable without it.
func (n *Node) Close() error { return nil }

// PutStore creates a store, or finds the one of that name: StoreInfo.New tells.
func (n *Node) PutStore(ctx context.Context, name string) (StoreInfo, error) {
	return StoreInfo{}, ErrNotReady
}

// Stores lists the stores by name, as this node knows them.
func (n *Node) Stores(ctx context.Context) ([]StoreInfo, error) { return nil, ErrNotReady }

// Store describes one store as this node knows it. A missing one is a *Rejection
// with the code store_not_found.
func (n *Node) Store(ctx context.Context, name string) (StoreInfo, error) {
	return StoreInfo{}, ErrNotReady
}

// DeleteStore deletes a store with all that is in it.
func (n *Node) DeleteStore(ctx context.Context, name string) (WriteResult, error) {
	return WriteResult{}, ErrNotReady
}

// Write changes tuples of a store. The error is a *Rejection where the state
// machine refused, ErrOutcomeUnknown where the write may have happened, and
// otherwise says that nothing was written.
func (n *Node) Write(ctx context.Context, store string, request WriteRequest) (WriteResult, error) {
	return WriteResult{}, ErrNotReady
}

// Import touches tuples, at most MaxImport of them. Sending a chunk again is harmless.
func (n *Node) Import(ctx context.Context, store string, tuples []tuple.Tuple) (WriteResult, error) {
	return WriteResult{}, ErrNotReady
}

// MaxImport is the most tuples of one Import: an entry holds up apply for as long
// as it takes, and small writes wait behind it.
const MaxImport = 1000

// PutSchema writes a store's schema. Errors are as for Write.
func (n *Node) PutSchema(ctx context.Context, store string, request SchemaRequest) (SchemaResult, error) {
	return SchemaResult{}, ErrNotReady
}

// View pins a store at the revision that the consistency asks for. The caller
// closes it. Errors: *Rejection (store_not_found), *RevisionError, ErrNotLeader
// (fully consistent, no leader), the context's.
func (n *Node) View(ctx context.Context, store string, c Consistency) (*View, error) {
	return nil, ErrNotReady
}

// Token seals a revision for clients.
func (n *Node) Token(r tuple.Revision) (tuple.Token, error) { return "", ErrNotReady }

// ParseToken returns the revision of a token of this cluster. Errors:
// ErrTokenMalformed, ErrTokenOtherCluster.
func (n *Node) ParseToken(t tuple.Token) (tuple.Revision, error) { return 0, ErrNotReady }

// Seal encrypts and authenticates a text under the cluster's secret, for one
// purpose: every node of the cluster can Unseal it, nobody else can read or alter it.
func (n *Node) Seal(purpose string, plain []byte) (string, error) { return "", ErrNotReady }

// Unseal opens what Seal sealed for the same purpose. Errors: ErrSealed.
func (n *Node) Unseal(purpose, sealed string) ([]byte, error) { return nil, ErrNotReady }

// Ready says whether the node has caught up with its cluster and serves.
func (n *Node) Ready() bool { return false }

// WaitReady waits until Ready, the context's end or the node's.
func (n *Node) WaitReady(ctx context.Context) error { return ErrNotReady }

// Status describes the node and its cluster.
func (n *Node) Status() Status { return Status{NodeID: n.config.NodeID} }

// Remove takes a member out of the cluster for good. Its folder must not be used
// again. Errors: ErrUnknownMember, ErrNotLeader, ErrOutcomeUnknown.
func (n *Node) Remove(ctx context.Context, id string) error { return ErrNotReady }
