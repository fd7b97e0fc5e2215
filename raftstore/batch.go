package raftstore

import (
	"context"
	"sync"
	"time"
)

// readBatch lets concurrent fully consistent reads share one question to the
// cluster. A caller never shares a question that was under way when it came: the
// answer to that one may be older than a write it knows of.
type readBatch struct {
	ask func(context.Context) (leaderIndex, error)

	mu     sync.Mutex // guards next
	next   *question  // who has come since the last question was put
	wake   chan struct{}
	closed <-chan struct{}
}

// question is put once for all who joined it.
type question struct {
	done  chan struct{}
	index leaderIndex // set before done is closed
	err   error
}

func newReadBatch(closed <-chan struct{}, ask func(context.Context) (leaderIndex, error)) *readBatch {
	return &readBatch{ask: ask, wake: make(chan struct{}, 1), closed: closed}
}

// join waits for the answer to the next question.
func (b *readBatch) join(ctx context.Context) (leaderIndex, error) {
	b.mu.Lock()
	if b.next == nil {
		b.next = &question{done: make(chan struct{})}
	}
	q := b.next
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	select {
	case <-q.done:
		return q.index, q.err
	case <-ctx.Done():
		return leaderIndex{}, notProposed(ctx.Err())
	case <-b.closed:
		return leaderIndex{}, ErrClosed
	}
}

// run puts one question after the other until the context ends. A question that
// is not answered within the limit fails, and its callers put another.
func (b *readBatch) run(ctx context.Context, limit time.Duration) {
	for {
		select {
		case <-b.wake:
		case <-ctx.Done():
			return
		}
		b.mu.Lock()
		q := b.next
		b.next = nil
		b.mu.Unlock()
		if q == nil {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, limit)
		q.index, q.err = b.ask(bounded)
		cancel()
		close(q.done)
	}
}
