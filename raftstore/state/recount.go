package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// recounted is a store as it was found on disk at a revision.
type recounted struct {
	*stats
	live    Digest // of the live tuples alone
	reverse Digest // of the live tuples by their reverse keys, which stores on disk have
	state   string // hash of all keys and values
	expiry  Digest // of the expiry keys that the live tuples should have
	expires Digest // of those that are there
}

// recountStore reads all that is kept of a store at the revision of txn.
func recountStore(txn *badger.Txn, id storeID, pace *pacer) (*recounted, error) {
	found := &recounted{stats: newStats()}
	sum := sha256.New()
	for _, kind := range []byte{prefixTuple, prefixReverse, prefixQuarantine, prefixExpiry, prefixSchema, prefixName} {
		err := eachPair(txn, keySpace(kind, id), func(key, value []byte) error {
			if err := pace.step(); err != nil {
				return err
			}
			sumPair(sum, key, value)
			switch {
			case isTuple(kind):
				return found.count(kind, id, key[5:], value)
			case kind == prefixReverse:
				return found.countReverse(key[5:], value)
			case kind == prefixExpiry:
				found.expires = found.expires.add(digestOf(kind, key[5:], nil))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if kind == prefixTuple {
			found.live = found.Digest
		}
	}
	found.state = hex.EncodeToString(sum.Sum(nil)[:16])
	return found, nil
}

func (c *recounted) count(kind byte, id storeID, rowKey, value []byte) error {
	r, err := parseRow(rowKey)
	if err == nil {
		err = r.setValue(value)
	}
	if err != nil {
		return err
	}
	c.change(kind, r, rowKey, value, 1)
	if kind == prefixTuple && r.Expires != 0 {
		c.expiry = c.expiry.add(digestOf(prefixExpiry, r.expiryKey(id)[5:], nil))
	}
	return nil
}

func (c *recounted) countReverse(reverse, value []byte) error {
	r, err := parseReverse(reverse)
	if err == nil {
		c.reverse = c.reverse.add(digestOf(prefixTuple, r.appendRow(nil), value))
	}
	return err
}

// compare says where the recount differs from what apply kept of the store.
func (c *recounted) compare(st *store, kept *stats) error {
	if err := c.stats.compare(kept); err != nil {
		return err
	}
	if st.disk && c.reverse != c.live {
		return fmt.Errorf("%w: the tuples by their subjects have digest %s, where there should be %s", ErrCorrupt, c.reverse, c.live)
	}
	if c.expiry != c.expires {
		return fmt.Errorf("%w: the index of what expires has digest %s, where there should be %s", ErrCorrupt, c.expires, c.expiry)
	}
	return nil
}

// compareGraph recounts a store's graph index in both directions, where it still
// holds the pinned revision: memory can be damaged too, and the index can be wrong.
func (p *pinned) compareGraph(st *store, live Digest, pace *pacer) error {
	g, err := p.graph(st)
	if g == nil {
		return err
	}
	defer g.Close()
	c := graphCount{g: g, st: st, pace: pace}
	for _, direction := range []struct {
		name  string
		count func() error
	}{{"objects to subjects", c.forward}, {"subjects to objects", c.backward}} {
		c.sum = Digest{}
		if err := direction.count(); err != nil {
			return err
		}
		if c.sum != live {
			return fmt.Errorf("%w: the graph index from %s has digest %s, where there should be %s", ErrCorrupt, direction.name, c.sum, live)
		}
	}
	return nil
}

// graph opens a view of a store's graph index; nil where it has none, or not of
// the pinned revision any more.
func (p *pinned) graph(st *store) (*graph.View, error) {
	p.s.mu.Lock()
	index := st.index
	p.s.mu.Unlock()
	if index == nil {
		return nil, nil
	}
	g, err := index.View(p.revision)
	if errors.Is(err, graph.ErrReclaimed) {
		return nil, nil
	}
	return g, err
}

// keepGraph lets compareGraph find the revision after a long look at the disk.
func (p *pinned) keepGraph(st *store) error {
	g, err := p.graph(st)
	if g != nil {
		g.Keep()
		g.Close()
	}
	return err
}

// graphCount sums up the tuples of a graph.
type graphCount struct {
	g    reader
	st   *store
	pace *pacer
	sum  Digest

	chunk [64]tuple.Edge
	key   []byte
}

// typeIDs returns the numbers of all types that the store ever had.
func (n *names) typeIDs() []tuple.TypeID {
	n.mu.RLock()
	defer n.mu.RUnlock()
	ids := make([]tuple.TypeID, 0, len(n.typeNames))
	for id := 1; id < len(n.typeNames); id++ {
		ids = append(ids, tuple.TypeID(id))
	}
	return ids
}

// nodes visits every object of a type with its id.
func (c *graphCount) nodes(t tuple.TypeID, visit func(tuple.Node, string) error) error {
	for node, err := range tuple.List(func(from tuple.Cursor, into []tuple.Node) (int, tuple.Cursor, error) {
		return c.g.Nodes(t, from, into)
	}) {
		if err != nil {
			return err
		}
		_, id, err := c.g.Object(node)
		if err == nil {
			err = visit(node, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// edges counts all that read lists; whole fills in the end that is known.
func (c *graphCount) edges(read func(tuple.Cursor, []tuple.Edge) (int, tuple.Cursor, error), whole func(other row, e tuple.Edge) row) error {
	for from := tuple.Cursor(0); ; {
		n, next, err := read(from, c.chunk[:])
		if err == nil {
			err = c.pace.step()
		}
		if err != nil {
			return err
		}
		for _, e := range c.chunk[:n] {
			var other row
			if other.ObjectType, other.ObjectID, err = c.g.Object(e.Ref.Node); err != nil {
				return err
			}
			r := whole(other, e)
			r.Condition, r.Context, r.Expires = e.Condition, e.Context, e.Expires
			c.key = r.appendRow(c.key[:0])
			c.sum = c.sum.add(digestOf(prefixTuple, c.key, r.value()))
			if err := c.pace.step(); err != nil {
				return err
			}
		}
		if from = next; from == 0 {
			return nil
		}
	}
}

func (c *graphCount) forward() error {
	for _, t := range c.st.names.typeIDs() {
		relations := c.st.names.relationsOf(t)
		err := c.nodes(t, func(node tuple.Node, id string) error {
			for _, relation := range relations {
				err := c.edges(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
					return c.g.Subjects(node, relation, from, into)
				}, func(other row, e tuple.Edge) row {
					return row{ObjectType: t, ObjectID: id, Relation: relation,
						SubjectType: other.ObjectType, SubjectID: other.ObjectID, SubjectRelation: e.Ref.Relation}
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *graphCount) backward() error {
	for _, t := range c.st.names.typeIDs() {
		relations := append([]tuple.RelationID{0}, c.st.names.relationsOf(t)...)
		each := func(node tuple.Node, id string) error {
			for _, relation := range relations {
				err := c.edges(func(from tuple.Cursor, into []tuple.Edge) (int, tuple.Cursor, error) {
					return c.g.Objects(tuple.Ref{Node: node, Relation: relation}, 0, from, into)
				}, func(other row, e tuple.Edge) row {
					other.Relation, other.SubjectType, other.SubjectID, other.SubjectRelation = e.Ref.Relation, t, id, relation
					return other
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		everyone, err := c.g.Node(t, tuple.Wildcard)
		if err == nil && everyone != 0 {
			err = each(everyone, tuple.Wildcard)
		}
		if err == nil {
			err = c.nodes(t, each)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
