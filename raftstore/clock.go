package raftstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Log time never goes back, and tuples expire by it: one leader whose clock is hours
// ahead would end the grants of hours, for good. So a node does not trust its own
// clock alone. It asks the voters for theirs, before its first entry as a leader and
// every minute, and where its own is off by more than clockTolerance it goes by the
// lower median of all. Where its clock jumps in between it goes on by the time that
// has passed, until it has asked again. A node alone has its own clock only.
const (
	clockTolerance = 2 * time.Second
	clockJump      = time.Second
	clockInterval  = time.Minute
	clockTimeout   = 2 * time.Second
	clockHurry     = 250 * time.Millisecond // of a new leader, for whom everybody waits
)

// clock is a node's clock, corrected by the others'.
type clock struct {
	wall    func() time.Time // the machine's
	changed chan struct{}    // holds an element when the others shall be asked
	offset  atomic.Int64     // what is added to wall, in nanoseconds

	mu    sync.Mutex // guards what follows
	alone bool       // nobody else votes
	told  time.Time  // the last time that was told
	when  time.Time  // when that was, by the monotonic clock
}

func newClock(wall func() time.Time) *clock {
	return &clock{wall: wall, changed: make(chan struct{}, 1), alone: true}
}

// corrected returns the machine's time as the others last corrected it.
func (c *clock) corrected() time.Time { return c.wall().Add(time.Duration(c.offset.Load())) }

// now returns the time to stamp an entry with.
func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, passed := time.Now(), time.Duration(0)
	if !c.when.IsZero() {
		passed = at.Sub(c.when)
	}
	steady, own := c.told.Add(passed), c.corrected()
	if jump := own.Sub(steady); c.alone || c.when.IsZero() || jump.Abs() <= clockJump {
		c.told, c.when = own, at
		return own
	}
	select {
	case c.changed <- struct{}{}:
	default:
	}
	c.told, c.when = steady, at
	return steady
}

// correct takes over what the others say.
func (c *clock) correct(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset.Store(int64(offset))
	c.told, c.when = c.corrected(), time.Now()
}

// members is told who the members are.
func (c *clock) members(m raft.Configuration) {
	voters := 0
	for _, s := range m.Servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = voters <= 1
}

// medianOffset says how far to correct a clock, of the offsets of the voters'
// clocks to it, its own included.
func medianOffset(offsets []time.Duration) time.Duration {
	slices.Sort(offsets)
	median := offsets[(len(offsets)-1)/2] // of two in the middle the earlier: time can be caught up, not turned back
	if median.Abs() <= clockTolerance {
		return 0
	}
	return median
}

// Now returns this node's time: its machine's, corrected where most voters' clocks
// say something else.
func (n *Node) Now() time.Time { return n.clock.corrected() }

// askClocks corrects the clock by the voters'. Without a majority that answers
// nothing changes; in a hurry a majority is enough.
func (n *Node) askClocks(ctx context.Context, timeout time.Duration, hurry bool) error {
	servers, err := n.servers()
	if err != nil {
		return err
	}
	voters := slices.DeleteFunc(slices.Clone(servers), func(s raft.Server) bool { return s.Suffrage != raft.Voter })
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	told := make(chan time.Duration, len(voters))
	var asking sync.WaitGroup
	for _, s := range voters {
		asking.Go(func() {
			offset, err := n.clockOffset(ctx, s)
			if err != nil {
				n.log.Debug("a member did not tell its time", "member", s.ID, "error", err)
				return
			}
			told <- offset
		})
	}
	go func() { // ends with the asking, which ends with ctx
		asking.Wait()
		close(told)
	}()
	var offsets []time.Duration
	for offset := range told {
		if offsets = append(offsets, offset); hurry && len(offsets) > len(voters)/2 {
			cancel()
			break
		}
	}
	asking.Wait()
	if len(offsets) <= len(voters)/2 {
		return fmt.Errorf("%d of %d voters told their time", len(offsets), len(voters))
	}
	n.correctClock(medianOffset(offsets))
	return nil
}

func (n *Node) correctClock(offset time.Duration) {
	before := time.Duration(n.clock.offset.Load())
	n.clock.correct(offset)
	if change := offset - before; change.Abs() > clockTolerance {
		n.log.Error("this machine's clock is not what most members' clocks say; theirs is used", "off by", -offset)
	}
	if ahead := n.state.LogTime().Sub(n.Now()); ahead > clockTolerance {
		n.log.Warn("the log's time is ahead of the clocks: it stands still until they have caught up, and expiry is judged by it", "ahead", ahead)
	}
}

func (n *Node) clockOffset(ctx context.Context, s raft.Server) (time.Duration, error) {
	if string(s.ID) == n.id {
		return 0, nil
	}
	if n.peers == nil {
		return 0, errUnsent
	}
	sent, mine := time.Now(), n.config.Clock()
	answer, err := n.peers.call(ctx, string(s.Address), methodClock, nil)
	if err != nil {
		return 0, err
	}
	if len(answer) != 8 {
		return 0, fmt.Errorf("a time of %d bytes", len(answer))
	}
	theirs := time.Unix(0, int64(binary.BigEndian.Uint64(answer)))
	return theirs.Sub(mine.Add(time.Since(sent) / 2)), nil
}

// clockLoop asks the voters from time to time, until the context ends.
func (n *Node) clockLoop(ctx context.Context) {
	tick := time.NewTicker(clockInterval)
	defer tick.Stop()
	for {
		if err := n.askClocks(ctx, clockTimeout, false); err != nil && ctx.Err() == nil {
			n.log.Debug("the clock could not be compared", "error", err)
		}
		select {
		case <-tick.C:
		case <-n.clock.changed:
		case <-ctx.Done():
			return
		}
	}
}
