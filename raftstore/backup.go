package raftstore

import (
	"context"
	"errors"
	"io"

	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// BackupRequest says what a backup shall hold.
type BackupRequest struct {
	// Store is the only store inside; "" is all.
	Store string
	// Bare leaves out the history: the newest revision alone is inside.
	Bare bool
	// Local takes what this node has applied, and asks no leader whether there is
	// more: for a cluster that has lost its majority.
	Local bool
}

// Backup is a backup at one revision, pinned until Close: what is written
// meanwhile, and however far the history's floor moves, it stays what it is.
type Backup struct {
	Header   backup.Header
	snapshot *state.Snapshot
}

// Backup pins a backup that holds every change acknowledged before the call. The
// caller closes it. Errors: *Rejection (store_not_found), ErrNotLeader, what
// View has.
func (n *Node) Backup(ctx context.Context, request BackupRequest) (*Backup, error) {
	if err := n.answering(); err != nil {
		return nil, err
	}
	if !request.Local {
		index, err := n.readIndex(ctx)
		if err == nil {
			err = n.await(ctx, index.revision)
		}
		if err != nil {
			return nil, err
		}
	}
	p, err := n.state.Select(state.Selection{Portable: true, Bare: request.Bare, Store: request.Store})
	if err != nil {
		return nil, n.viewError(request.Store, err)
	}
	return &Backup{snapshot: p, Header: backup.Header{Cluster: p.Cluster.String(), Revision: p.Index, Floor: uint64(p.Floor), Time: p.Time,
		Feature: p.Feature, Store: request.Store}}, nil
}

// Write writes the file. Where it fails, what it has written is none.
func (b *Backup) Write(ctx context.Context, to io.Writer) error {
	w, err := backup.NewWriter(to, b.Header)
	if err != nil {
		return err
	}
	return errors.Join(b.snapshot.Write(ctx, w), w.Close())
}

// Close lets go of the revision.
func (b *Backup) Close() { b.snapshot.Close() }
