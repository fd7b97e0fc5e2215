package raftstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// token is what a write answered, for others to read with.
type token struct {
	register string
	token    tuple.Token
	revision tuple.Revision
}

type figures struct {
	writes, swaps, reads, fresh, exact, plain atomic.Int64
	unknown, resolved, refused, failed        atomic.Int64
	faults                                    map[string]int
	leaders                                   int
}

// client asks and writes until the simulation stops.
func (s *simulation) client(id int, random *rand.Rand) {
	for {
		select {
		case <-s.stop:
			return
		case <-time.After(time.Duration(random.Int64N(int64(40 * time.Millisecond)))):
		}
		n := s.node(random.IntN(simNodes))
		if n == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Duration(200+random.IntN(3000))*time.Millisecond)
		register := fmt.Sprintf("r%d-%d", s.era.Load(), random.IntN(3))
		switch dice := random.IntN(100); {
		case dice < 25:
			s.write(ctx, n, id, random, registerInput{register: register, op: writeRegister, value: int(s.serial.Add(1))})
		case dice < 40:
			expected, _, err := lookAt(ctx, n, register, raftstore.MinimizeLatency())
			if err == nil {
				s.write(ctx, n, id, random, registerInput{register: register, op: swapRegister, value: int(s.serial.Add(1)), expected: expected})
			}
		case dice < 65:
			s.read(ctx, n, id, register)
		default:
			s.readWithToken(ctx, n, random)
		}
		cancel()
	}
}

// write writes; where the outcome is unknown it mostly asks again with the same
// key, at any node, and otherwise leaves it open.
func (s *simulation) write(ctx context.Context, n *raftstore.Node, client int, random *rand.Rand, in registerInput) {
	request := registerWrite(in)
	request.IdempotencyKey = strconv.Itoa(in.value)
	o := porcupine.Operation{ClientId: client, Input: in, Call: s.clock.Add(1)}
	written, err := n.Write(ctx, "s", request)
	unknown := errors.Is(err, raftstore.ErrOutcomeUnknown)
	if unknown {
		s.figures.unknown.Add(1)
	}
	for again := random.IntN(4) > 0; unknown && again; {
		select {
		case <-s.stop:
			again = false
			continue
		case <-time.After(50 * time.Millisecond):
		}
		other := s.node(random.IntN(simNodes))
		if other == nil {
			continue
		}
		retry, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
		written, err = other.Write(retry, "s", request)
		cancel()
		var rejection *raftstore.Rejection
		if unknown = err != nil && !errors.As(err, &rejection); !unknown {
			s.figures.resolved.Add(1)
		}
	}
	out := registerOutput{unknown: unknown}
	o.Return = s.clock.Add(1)
	switch {
	case unknown:
		o.Return = 1 << 60 // it may take effect at any later time
	case err == nil:
	case in.op == swapRegister && errors.Is(err, &raftstore.Rejection{Code: command.CodePreconditionFailed}):
		out.refused = true
		s.figures.refused.Add(1)
	case s.harmless(err):
		return // nothing was written
	default:
		s.t.Errorf("%+v: %v", in, err)
		return
	}
	if in.op == swapRegister {
		s.figures.swaps.Add(1)
	} else {
		s.figures.writes.Add(1)
	}
	o.Output = out
	s.record.Lock()
	defer s.record.Unlock()
	s.history = append(s.history, o)
	if err == nil {
		s.facts = append(s.facts, fact{in.register, written.Revision, in.value, true})
		s.tokens = append(s.tokens, token{in.register, written.Token, written.Revision})
	}
}

// harmless are errors that say that nothing was done.
func (s *simulation) harmless(err error) bool {
	s.figures.failed.Add(1)
	for _, known := range []error{raftstore.ErrNotLeader, raftstore.ErrClosed, raftstore.ErrNotReady, raftstore.ErrOverloaded,
		raftstore.ErrRevisionTimeout, raftstore.ErrRevisionUnavailable, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

func (s *simulation) read(ctx context.Context, n *raftstore.Node, client int, register string) {
	o := porcupine.Operation{ClientId: client, Input: registerInput{register: register}, Call: s.clock.Add(1)}
	value, revision, err := lookAt(ctx, n, register, raftstore.FullyConsistent())
	o.Output, o.Return = registerOutput{value: value}, s.clock.Add(1)
	if err != nil {
		if !s.harmless(err) {
			s.t.Errorf("read %s: %v", register, err)
		}
		return
	}
	s.figures.reads.Add(1)
	s.record.Lock()
	defer s.record.Unlock()
	s.history = append(s.history, o)
	s.facts = append(s.facts, fact{register: register, revision: revision, value: value})
}

// readWithToken reads a register at or after a write of it, by the token that the
// writer got, or without one.
func (s *simulation) readWithToken(ctx context.Context, n *raftstore.Node, random *rand.Rand) {
	s.record.Lock()
	if len(s.tokens) == 0 {
		s.record.Unlock()
		return
	}
	recent := min(len(s.tokens), 200)
	w := s.tokens[len(s.tokens)-1-random.IntN(recent)]
	s.record.Unlock()
	revision, err := n.ParseToken(w.token)
	if err != nil && !errors.Is(err, raftstore.ErrNotReady) || err == nil && revision != w.revision {
		s.t.Errorf("the token of revision %d reads as %d: %v", w.revision, revision, err)
	}
	consistency, count := raftstore.AtLeastAsFresh(w.revision), &s.figures.fresh
	switch random.IntN(5) {
	case 0, 1:
		consistency, count = raftstore.AtExactSnapshot(w.revision), &s.figures.exact
	case 2:
		consistency, count = raftstore.MinimizeLatency(), &s.figures.plain
	}
	value, at, err := lookAt(ctx, n, w.register, consistency)
	if err != nil {
		if !s.harmless(err) {
			s.t.Errorf("read %s at %d: %v", w.register, w.revision, err)
		}
		return
	}
	count.Add(1)
	if count == &s.figures.fresh && at < w.revision || count == &s.figures.exact && at != w.revision {
		s.t.Errorf("a token of revision %d was answered from revision %d", w.revision, at)
	}
	s.record.Lock()
	defer s.record.Unlock()
	s.facts = append(s.facts, fact{register: w.register, revision: at, value: value})
}
