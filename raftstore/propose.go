package raftstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// maxCommandBytes is the largest single command that the log takes: about
// 200,000 tuples.
const maxCommandBytes = 16 << 20

// pipelined is how many entries are under way at most. More than one lets the
// fsync of an entry overlap with applying the one before; with many, each would
// pack less.
const pipelined = 2

// proposer packs concurrent commands into entries and proposes them on the
// leader: one fsync of the log then serves many writes.
type proposer struct {
	raft  *raft.Raft
	clock func() time.Time
	queue *queue

	under  chan packed   // entries that were proposed, in order
	done   chan struct{} // closed when the last outcome was handed out
	ctx    context.Context
	cancel context.CancelFunc
}

// packed is one entry under way.
type packed struct {
	future raft.ApplyFuture
	batch  []*proposal
	bulk   bool
}

func newProposer(r *raft.Raft, clock func() time.Time) *proposer {
	p := &proposer{raft: r, clock: clock, queue: newQueue(), under: make(chan packed, pipelined-1), done: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	go p.run()     // ends with refuse
	go p.collect() // ends when run has ended and what was proposed is settled
	return p
}

// newProposal measures a command and refuses what no entry can hold.
func newProposal(c command.Command) (*proposal, error) {
	encoded, err := command.Entry{Commands: []command.Command{c}}.Encode()
	if err != nil {
		return nil, err
	}
	if len(encoded) > maxCommandBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, %d are the most", ErrTooLarge, len(encoded), maxCommandBytes)
	}
	return &proposal{command: c, bytes: len(encoded), done: make(chan outcome, 1)}, nil
}

// propose waits for the result of a command that this node, as leader, puts into
// the log. The error wraps ErrNotLeader or ErrOverloaded where nothing was
// proposed, and ErrOutcomeUnknown where it may have been.
func (p *proposer) propose(ctx context.Context, c command.Command) (command.Result, error) {
	proposal, err := newProposal(c)
	if err != nil {
		return command.Result{}, err
	}
	if err := p.queue.put(proposal); err != nil {
		return command.Result{}, err
	}
	select {
	case o := <-proposal.done:
		return o.result, o.err
	case <-ctx.Done():
	}
	if p.queue.cancel(proposal) {
		return command.Result{}, fmt.Errorf("the write was not proposed in time, nothing was written: %w", ctx.Err())
	}
	select { // packed: what is known by now is better than nothing
	case o := <-proposal.done:
		return o.result, o.err
	default:
		return command.Result{}, unknownOutcome(ctx.Err())
	}
}

// run packs and proposes until close.
func (p *proposer) run() {
	defer close(p.under)
	for {
		batch := p.queue.take()
		if len(batch) == 0 {
			select {
			case <-p.queue.wake:
				continue
			case <-p.ctx.Done():
				return
			}
		}
		entry := command.Entry{Time: p.clock().UnixNano()}
		for _, proposal := range batch {
			entry.Commands = append(entry.Commands, proposal.command)
		}
		bulk := batch[0].bulk()
		data, err := entry.Encode()
		if err != nil {
			deliver(batch, nil, err)
			p.queue.ended(bulk)
			continue
		}
		p.under <- packed{p.raft.Apply(data, 0), batch, bulk}
	}
}

// collect hands out the results of entries in the order of the log.
func (p *proposer) collect() {
	defer close(p.done)
	for e := range p.under {
		err := e.future.Error()
		switch {
		case err == nil:
			response, ok := e.future.Response().(applied)
			if !ok {
				response.err = ErrHalted
			}
			if response.err != nil {
				// The entry is in the log, so the cluster has it even if this node
				// could not apply it.
				deliver(e.batch, nil, unknownOutcome(response.err))
				break
			}
			deliver(e.batch, response.results, nil)
		case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
			deliver(e.batch, nil, notProposed(err))
		default: // lost leadership, shut down, or the log could not be written
			deliver(e.batch, nil, unknownOutcome(err))
		}
		p.queue.ended(e.bulk)
	}
}

func deliver(batch []*proposal, results []command.Result, err error) {
	for i, proposal := range batch {
		o := outcome{err: err}
		if err == nil {
			o = judged(results, i)
		}
		proposal.done <- o
	}
}

func judged(results []command.Result, i int) outcome {
	if i >= len(results) {
		return outcome{err: unknownOutcome(errors.New("apply answered too few results"))}
	}
	if r := results[i].Rejection; r != nil {
		return outcome{result: results[i], err: r}
	}
	return outcome{result: results[i]}
}

// refuse fails what waits and everything that comes.
func (p *proposer) refuse(reason error) {
	for _, proposal := range p.queue.close(reason) {
		proposal.done <- outcome{err: reason}
	}
	p.cancel()
}

// settled waits until what was proposed has its outcome; false when the context
// ends before. Raft leaves futures unanswered when it is shut down while entries
// are on their way to apply, so one settles before that.
func (p *proposer) settled(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}
