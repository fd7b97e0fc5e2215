package target

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// pairsOfMixed is how many clients of Mixed write a pair of their own; clients
// beyond it share.
const pairsOfMixed = 64

// Mixed checks and writes. A write adds, or removes, two tuples at once that make
// up for each other: who may view a document by the one is blocked by the other.
// One check in ten is about such a document, and to allow it is a torn state: the
// one tuple was seen without the other.
func (h *HTTP) Mixed(d dataset.Full, questions []dataset.Question, writes float64) (load.Operation, error) {
	checks, err := h.Checks(questions)
	if err != nil {
		return checks, err
	}
	session := serial.Add(1)
	pairs := make([]pair, pairsOfMixed)
	for i := range pairs {
		tuples, q := d.Pair(fmt.Sprintf("pair-%d-%d", session, i))
		if err := pairs[i].encode(h, tuples, q); err != nil {
			return checks, err
		}
	}
	return load.Operation{Name: fmt.Sprintf("check with %.3g%% writes", 100*writes), Client: func(i int) (load.Client, error) {
		inner, err := checks.Client(i)
		if err != nil {
			return nil, err
		}
		return &mixer{prepared: inner.(*prepared), h: h, pairs: pairs, own: i % pairsOfMixed, share: writes, random: rand.New(rand.NewPCG(uint64(session), uint64(i)))}, nil
	}}, nil
}

// pair is two tuples that are written together, and the question that is denied
// with both of them and with none.
type pair struct {
	question             dataset.Question
	check, add, subtract []byte
}

func (p *pair) encode(h *HTTP, tuples []tuple.Tuple, q dataset.Question) error {
	p.question = q
	check, err := h.protocol.Check(q)
	if err != nil {
		return err
	}
	add, err := h.protocol.Write(tuples, nil)
	if err != nil {
		return err
	}
	subtract, err := h.protocol.Write(nil, tuples)
	if err != nil {
		return err
	}
	p.check, p.add, p.subtract = h.encode(check), h.encode(add), h.encode(subtract)
	return nil
}

type mixer struct {
	*prepared
	h      *HTTP
	pairs  []pair
	own    int // the pair that this client writes, and no other does
	there  bool
	share  float64
	random *rand.Rand
}

// Do writes or checks.
func (m *mixer) Do(ctx context.Context) error {
	switch n := m.random.Float64(); {
	case n < m.share:
		request := m.pairs[m.own].add
		if m.there {
			request = m.pairs[m.own].subtract
		}
		_, err := m.do(ctx, request)
		if err == nil {
			m.there = !m.there
		}
		return err
	case n < m.share+0.1:
		p := &m.pairs[m.random.IntN(len(m.pairs))]
		body, err := m.do(ctx, p.check)
		if err != nil {
			return err
		}
		return m.h.checked(&p.question, body)
	}
	return m.prepared.Do(ctx)
}
