package load

import (
	"fmt"
	"hash/maphash"
)

// List is the right answer to a lookup, made so that comparing an answer with it
// costs less than reading the answer: by the number of ids and the sum of their
// hashes.
type List struct {
	question string
	count    int
	sum      uint64
	among    map[string]bool // where only the beginning is wanted: each id must be one of these
}

var seed = maphash.MakeSeed()

// NewList makes a list of the ids, of which an answer has the first limit in any
// order; 0 is all.
func NewList(question string, ids []string, limit int) List {
	l := List{question: question, count: len(ids)}
	if limit > 0 && limit < len(ids) {
		l.count, l.among = limit, make(map[string]bool, len(ids))
	}
	for _, id := range ids {
		l.sum += maphash.String(seed, id)
		if l.among != nil {
			l.among[id] = true
		}
	}
	return l
}

// Compare begins to compare an answer.
func (l *List) Compare() Comparison { return Comparison{list: l} }

// Comparison is under way: Add each id, then ask Err.
type Comparison struct {
	list    *List
	count   int
	sum     uint64
	foreign string
}

// Add takes in an id of the answer.
func (c *Comparison) Add(id []byte) {
	c.count++
	if c.sum += maphash.Bytes(seed, id); c.list.among != nil && !c.list.among[string(id)] {
		c.foreign = string(id)
	}
}

// AddText takes in an id of the answer.
func (c *Comparison) AddText(id string) {
	c.count++
	if c.sum += maphash.String(seed, id); c.list.among != nil && !c.list.among[id] {
		c.foreign = id
	}
}

// Err returns a *WrongAnswer where the answer is not the right one.
func (c *Comparison) Err() error {
	l := c.list
	switch {
	case c.foreign != "":
		return &WrongAnswer{Question: l.question, Got: c.foreign, Want: "none like it"}
	case c.count != l.count || l.among == nil && c.sum != l.sum:
		return &WrongAnswer{Question: l.question, Got: fmt.Sprintf("%d entries", c.count), Want: fmt.Sprintf("%d entries, these very ones", l.count)}
	}
	return nil
}
