package raftstore

import (
	"context"
	"errors"
	"time"
)

// Close hands leadership over where it can, stops the node and waits for all
// that it started. Acknowledged writes are durable without it.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		n.handOver() // while it still answers: what comes meanwhile goes to the successor
		n.mu.Lock()
		n.closed = true
		n.mu.Unlock()
		n.stopRaft()
		n.halting.Wait()
		n.rebuilding.Wait()
		n.closeErr = n.release()
	})
	return n.closeErr
}

// handover bounds how long a node that stops waits for its successor and for
// what it has proposed. Raft can leave the futures of entries hanging.
const handover = 2 * time.Second

// stopRaft ends everything that runs, so that only the disk is left to close.
func (n *Node) stopRaft() {
	n.stopOnce.Do(func() {
		n.cancel()
		n.background.Wait()
		if n.raft == nil {
			return
		}
		reason := ErrClosed
		if n.faultOf() != nil {
			reason = ErrHalted
		}
		n.proposer.refuse(reason)
		ctx, cancel := context.WithTimeout(context.Background(), handover)
		defer cancel()
		n.proposer.settled(ctx)
		n.handOver()
		down := n.raft.Shutdown()
		if n.port != nil {
			n.port.mute(true) // or Raft waits for answers of members that hang
		}
		ended := make(chan error, 1)
		go func() { ended <- down.Error() }() // over a damaged log Raft stands still for ever: nobody waits for that
		select {
		case err := <-ended:
			if err != nil {
				n.log.Warn("Raft did not shut down cleanly", "error", err)
			}
		case <-time.After(raftTimeout):
			n.log.Error("Raft did not shut down in time")
		}
		n.telling.Wait()
		last, cancelLast := context.WithTimeout(context.Background(), handover)
		defer cancelLast()
		if !n.proposer.settled(last) {
			n.log.Warn("writes were under way when the node stopped; their outcome is unknown")
		}
		if n.peers != nil {
			n.peers.Close()
		}
	})
}

// release closes what is on disk.
func (n *Node) release() error {
	n.cancel()
	var errs []error
	errs = append(errs, n.handouts.close())
	if n.snapshots != nil {
		errs = append(errs, n.snapshots.close())
	}
	if n.state != nil {
		errs = append(errs, n.state.Close())
	}
	if n.raftLog != nil {
		errs = append(errs, n.raftLog.Close())
	}
	return errors.Join(errs...)
}

// halt stops the node after a local fault. Its data may be incomplete from here
// on, so it answers nothing any more; the rest of the cluster goes on without it.
func (n *Node) halt(err error) {
	n.mu.Lock()
	n.fault = err
	n.mu.Unlock()
	n.log.Error("this node halts after a fault of its own", "error", err)
	n.halting.Go(func() {
		<-n.started // Raft may apply entries before Open has it in hand
		n.stopRaft()
	})
}

func (n *Node) faultOf() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.fault
}

// serving says why the node does not serve; nil when it does.
func (n *Node) serving() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return ErrClosed
	case n.fault != nil:
		return ErrHalted
	case n.rebuilds.cause != nil:
		return ErrRebuilding
	}
	return nil
}

// answering says why the node answers no questions; nil when it does. A node that
// was removed hears of no change any more: what it holds would be answered for
// ever, revoked or not.
func (n *Node) answering() error {
	if err := n.serving(); err != nil {
		return err
	}
	servers, err := n.servers()
	if err != nil {
		return err
	}
	if serverOf(servers, n.id).ID == "" || n.outcast.Load() {
		return ErrNotMember
	}
	return nil
}

// diskStalled is told when the log's disk hangs and when it is back. A leader in
// this state cannot step down by itself, since Raft waits for the disk: so it is
// cut off from its followers, who elect another.
func (n *Node) diskStalled(stalled bool) {
	n.stalled.Store(stalled)
	if stalled {
		n.log.Error("a write to the log has not ended for too long: does the disk hang?", "limit", n.config.StallTimeout)
	} else {
		n.log.Warn("the log can be written again")
	}
	n.cutOff()
}
