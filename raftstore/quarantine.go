package raftstore

import (
	"context"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// ResolveQuarantine takes tuples out of quarantine: back among the live ones, or
// away for good. Errors are as for Write.
func (n *Node) ResolveQuarantine(ctx context.Context, store string, request command.ResolveQuarantine) (WriteResult, error) {
	return n.write(ctx, command.Command{Store: store, Body: &request})
}
