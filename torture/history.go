package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// A register is a document with at most one editor: the number that the last swap
// put there, 0 for none. Every number is put once.

type input struct {
	register string
	swap     bool // otherwise a fully consistent read
	from, to int  // of a swap
}

type output struct {
	value   int  // of a read
	refused bool // of a swap: something else was there
	unknown bool // of a swap: no answer
}

// registers is the sequential model, one register at a time.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			r := o.Input.(input).register
			by[r] = append(by[r], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, in, out any) (bool, any) {
		i, o, now := in.(input), out.(output), state.(int)
		switch {
		case !i.swap:
			return o.value == now, now
		case o.refused:
			return now != i.from, now
		case now == i.from:
			return true, i.to
		}
		return o.unknown, now
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
}

// fate is what is known of a write.
type fate uint8

const (
	certain fate = iota // acknowledged
	open                // no answer
	undone              // the server says that nothing was written
)

// history is what all clients did and saw.
type history struct {
	clock atomic.Int64 // orders calls and answers
	last  atomic.Int64 // when a write was last acknowledged, in nanoseconds since 1970

	mu         sync.Mutex // guards what follows
	gap        span       // the longest time without one since newGap
	operations []porcupine.Operation
	grown      map[string]grown // viewers that were added, by document and user
	grants     []grant          // for others to ask about
	wrong      []string         // what contradicts what was acknowledged
}

// grant is one acknowledged change of who may view what, and its token.
type grant struct {
	document, user string
	token          tuple.Token
	gone           bool // the change took it away, for ever
}

// grown is what is known of an added viewer.
type grown struct {
	fate
	err error // where it was not acknowledged
}

func (h *history) grew(document, user string, f fate, err error, token tuple.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grown[document+" "+user] = grown{f, err}
	if f == certain {
		h.grants = append(h.grants, grant{document: document, user: user, token: token})
		h.acknowledged()
	}
}

func (h *history) swapped(o porcupine.Operation, token tuple.Token) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, o)
	i, out := o.Input.(input), o.Output.(output)
	if !i.swap || out.refused || out.unknown {
		return
	}
	h.acknowledged()
	if i.from != 0 {
		h.grants = append(h.grants, grant{document: i.register, user: fmt.Sprint(i.from), token: token, gone: true})
	}
}

// acknowledged notes the time; the mutex is held.
func (h *history) acknowledged() {
	now := time.Now()
	if s := (span{time.Unix(0, h.last.Swap(now.UnixNano())), now}); s.length() > h.gap.length() {
		h.gap = s
	}
}

// newGap forgets the gaps that were.
func (h *history) newGap() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gap = span{}
}

func (h *history) longestGap() span {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gap
}

// fault records that an answer was wrong.
func (h *history) fault(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wrong = append(h.wrong, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}
