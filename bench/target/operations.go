package target

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// prepared is a client that sends requests that were encoded before, in turn.
type prepared struct {
	*conn
	requests [][]byte
	judge    func(i int, body []byte) error
	next     int
}

// Do sends the next request.
func (p *prepared) Do(ctx context.Context) error {
	i := p.next
	if p.next++; p.next == len(p.requests) {
		p.next = 0
	}
	body, err := p.do(ctx, p.requests[i])
	if err != nil {
		return err
	}
	return p.judge(i, body)
}

// operation makes clients that begin at different places of the requests. judge
// is made once per client, which may keep room in it.
func (h *HTTP) operation(name string, items int, requests [][]byte, judge func() func(i int, body []byte) error) load.Operation {
	return load.Operation{Name: name, Items: items, Client: func(i int) (load.Client, error) {
		c, err := h.dial(i)
		if err != nil {
			return nil, err
		}
		return &prepared{conn: c, requests: requests, judge: judge(), next: i * 7919 % len(requests)}, nil
	}}
}

// encodeAll encodes one request for each of a list.
func encodeAll[T any](h *HTTP, list []T, request func(T) (Request, error)) ([][]byte, error) {
	requests := make([][]byte, len(list))
	for i, x := range list {
		r, err := request(x)
		if err != nil {
			return nil, err
		}
		requests[i] = h.encode(r)
	}
	return requests, nil
}

// Checks asks one question per request.
func (h *HTTP) Checks(questions []dataset.Question) (load.Operation, error) {
	requests, err := encodeAll(h, questions, h.protocol.Check)
	return h.operation("check", 1, requests, func() func(int, []byte) error {
		return func(i int, body []byte) error { return h.checked(&questions[i], body) }
	}), err
}

func (h *HTTP) checked(q *dataset.Question, body []byte) error {
	allowed, err := h.protocol.Checked(body)
	if err == nil && allowed != q.Allowed {
		err = wrong(q, allowed)
	}
	return err
}

func wrong(q *dataset.Question, got bool) error {
	word := map[bool]string{true: "allowed", false: "denied"}
	return &load.WrongAnswer{Question: fmt.Sprintf("%v %s %v", q.Subject, q.Permission, q.Object), Got: word[got], Want: word[q.Allowed]}
}

// Batches asks so many questions per request.
func (h *HTTP) Batches(questions []dataset.Question, items int) (load.Operation, error) {
	var groups [][]dataset.Question
	for ; len(questions) >= items; questions = questions[items:] {
		groups = append(groups, questions[:items])
	}
	if len(groups) == 0 {
		return load.Operation{}, fmt.Errorf("%d questions are too few for a batch of %d", len(questions), items)
	}
	requests, err := encodeAll(h, groups, h.protocol.Batch)
	return h.operation(fmt.Sprintf("batch of %d", items), items, requests, func() func(int, []byte) error {
		var room []bool
		return func(i int, body []byte) error {
			answers, err := h.protocol.Batched(body, room[:0])
			if err != nil {
				return err
			}
			room = answers
			if len(answers) != items {
				return fmt.Errorf("%d answers to %d questions", len(answers), items)
			}
			for j, allowed := range answers {
				if q := &groups[i][j]; allowed != q.Allowed {
					return wrong(q, allowed)
				}
			}
			return nil
		}
	}), err
}

// Objects asks for lists of objects.
func (h *HTTP) Objects(lists []dataset.ObjectList, limit int) (load.Operation, error) {
	requests, err := encodeAll(h, lists, func(l dataset.ObjectList) (Request, error) { return h.protocol.Objects(l, limit) })
	wants := make([]load.List, len(lists))
	for i, l := range lists {
		wants[i] = load.NewList(fmt.Sprintf("%ss that %v may %s", l.Type, l.Subject, l.Permission), l.IDs, limit)
	}
	name := "objects, whole list"
	if limit > 0 {
		name = fmt.Sprintf("objects, first %d", limit)
	}
	return h.operation(name, 1, requests, compareLists(wants, h.protocol.ObjectsFound)), err
}

// Subjects asks for lists of subjects.
func (h *HTTP) Subjects(lists []dataset.SubjectList) (load.Operation, error) {
	requests, err := encodeAll(h, lists, h.protocol.Subjects)
	wants := make([]load.List, len(lists))
	for i, l := range lists {
		wants[i] = load.NewList(fmt.Sprintf("%ss that may %s %v", l.Type, l.Permission, l.Object), l.IDs, 0)
	}
	return h.operation("subjects, whole list", 1, requests, compareLists(wants, h.protocol.SubjectsFound)), err
}

func compareLists(wants []load.List, found func(body []byte, each func(id []byte)) error) func() func(int, []byte) error {
	return func() func(int, []byte) error {
		return func(i int, body []byte) error {
			c := wants[i].Compare()
			if err := found(body, c.Add); err != nil {
				return err
			}
			return c.Err()
		}
	}
}

// serial numbers what is written, so that no two operations of a process write the same.
var serial atomic.Int64

// Writes writes new tuples that no question is about.
func (h *HTTP) Writes(d dataset.Full, tuples int) (load.Operation, error) {
	name := "write"
	if tuples > 1 {
		name = fmt.Sprintf("write of %d", tuples)
	}
	if most := h.protocol.MostTuples(); tuples > most {
		return load.Operation{}, unsupported(fmt.Sprintf("a write of %d tuples; %s takes %d", tuples, h.Name(), most))
	}
	return load.Operation{Name: name, Items: tuples, Client: func(i int) (load.Client, error) {
		c, err := h.dial(i)
		if err != nil {
			return nil, err
		}
		return &writer{conn: c, h: h, d: d, chunk: make([]tuple.Tuple, tuples)}, nil
	}}, nil
}

// writer writes as many tuples per request as its chunk holds.
type writer struct {
	*conn
	h     *HTTP
	d     dataset.Full
	chunk []tuple.Tuple
}

// Do writes the next tuples.
func (w *writer) Do(ctx context.Context) error {
	for i := range w.chunk {
		w.chunk[i] = w.d.Spare(serial.Add(1))
	}
	r, err := w.h.protocol.Write(w.chunk, nil)
	if err == nil {
		_, err = w.do(ctx, w.h.encode(r))
	}
	return err
}

// quoted calls each with what stands between a prefix and the next quote.
func quoted(body, prefix []byte, each func(id []byte)) {
	for {
		i := bytes.Index(body, prefix)
		if i < 0 {
			return
		}
		body = body[i+len(prefix):]
		end := bytes.IndexByte(body, '"')
		if end < 0 {
			return
		}
		each(body[:end])
		body = body[end:]
	}
}
