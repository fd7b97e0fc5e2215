package raftstore

import (
	"context"
	"fmt"
	"time"
)

// spaceInterval is how often the free space is looked at.
const spaceInterval = time.Second

// spaceLoop watches the disk. Badger and bbolt write through memory maps, where a
// full disk is a signal that ends the process, so the node stops writing before.
func (n *Node) spaceLoop(ctx context.Context) {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		n.lookAtSpace()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookAtSpace takes the node out of Raft while its disk is nearly full: a follower
// must take whatever the leader sends, and a leader would have to send it.
func (n *Node) lookAtSpace() {
	free, err := n.config.freeSpace(n.config.Dir)
	if err != nil {
		n.log.Warn("the free space of the disk is not known", "error", err)
		return
	}
	full := free < n.config.MinFreeBytes
	if n.full.Swap(full) == full {
		return
	}
	if full {
		n.log.Error("the disk is nearly full: this node writes no more until there is room", "free", free, "least", n.config.MinFreeBytes)
	} else {
		n.log.Warn("the disk has room again", "free", free)
	}
	n.cutOff()
}

// cutOff keeps Raft's messages away while this node cannot write.
func (n *Node) cutOff() {
	n.cutting.Lock()
	defer n.cutting.Unlock()
	if n.port != nil {
		n.port.mute(n.stalled.Load() || n.full.Load())
	}
}

// roomToWrite refuses a write that this node, as leader, would have to store.
func (n *Node) roomToWrite() error {
	if n.full.Load() {
		return fmt.Errorf("%w: the disk of the leader is nearly full", ErrOverloaded)
	}
	return nil
}
