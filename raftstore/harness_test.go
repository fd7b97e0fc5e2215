package raftstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sort"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// patience bounds what a test waits for; nothing is expected to take this long.
const patience = 90 * time.Second

func withPatience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func openNode(t *testing.T, config raftstore.Config) *raftstore.Node {
	t.Helper()
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	n, err := raftstore.Open(withPatience(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return n
}

// documents is the schema that the tests write under.
func documents() raftstore.SchemaRequest {
	text := "pemba 1\n\ntype user\n\ntype document {\n  relation viewer: [user with expiry?]\n}\n"
	return raftstore.SchemaRequest{
		Files: []source.File{{Name: "documents.pemba", Text: text}},
		Admission: &schema.Admission{Language: 1, Types: []schema.AdmissionType{
			{Name: "user"},
			{Name: "document", Relations: []schema.AdmissionRelation{
				{Name: "viewer", Shapes: []schema.AdmissionShape{{Type: "user", Expiry: schema.ExpiryOptional}}},
			}},
		}},
	}
}

// putStore makes a store with the documents' schema.
func putStore(t *testing.T, n *raftstore.Node, name string) {
	t.Helper()
	ctx := withPatience(t)
	eventually(t, func() error {
		if _, err := n.PutStore(ctx, name); err != nil {
			return err
		}
		_, err := n.PutSchema(ctx, name, documents())
		return err
	})
}

func viewer(document, user string) tuple.Tuple {
	return tuple.Tuple{Key: tuple.Key{
		Object:   tuple.Object{Type: "document", ID: document},
		Relation: "viewer",
		Subject:  tuple.Subject{Type: "user", ID: user},
	}}
}

func change(op command.Op, tuples ...tuple.Tuple) raftstore.WriteRequest {
	var w raftstore.WriteRequest
	for _, t := range tuples {
		w.Operations = append(w.Operations, raftstore.Operation{Op: op, Tuple: t})
	}
	return w
}

// write writes as a client should: it sends a write of unknown fate again, with
// the same key. On a busy machine a leader loses its followers now and then.
func write(t *testing.T, n *raftstore.Node, store string, w raftstore.WriteRequest) raftstore.WriteResult {
	t.Helper()
	if w.IdempotencyKey == "" {
		w.IdempotencyKey = rand.Text()
	}
	for ctx := withPatience(t); ; {
		written, err := n.Write(ctx, store, w)
		if err == nil {
			return written
		}
		if !errors.Is(err, raftstore.ErrOutcomeUnknown) && !errors.Is(err, raftstore.ErrNotLeader) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// keys reads all tuples of a store, as text.
func keys(t *testing.T, n *raftstore.Node, store string, c raftstore.Consistency) []string {
	t.Helper()
	view, err := n.View(withPatience(t), store, c)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	var all []string
	for found, err := range view.Tuples(tuple.Filter{}, nil) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found.Key.String())
	}
	sort.Strings(all)
	return all
}

// has says whether one tuple is there.
func has(t *testing.T, n *raftstore.Node, store string, c raftstore.Consistency, want tuple.Tuple) bool {
	t.Helper()
	view, err := n.View(withPatience(t), store, c)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	return viewHas(t, view, want)
}

func viewHas(t *testing.T, view *raftstore.View, want tuple.Tuple) bool {
	t.Helper()
	filter := tuple.Filter{ObjectType: want.Object.Type, ObjectID: want.Object.ID, Relation: want.Relation,
		Subject: tuple.SubjectFilter{Type: want.Subject.Type, ID: want.Subject.ID}}
	for found, err := range view.Tuples(filter, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if found.Key == want.Key {
			return true
		}
	}
	return false
}

// cluster is some nodes on this machine, by number.
type cluster struct {
	t       *testing.T
	configs []raftstore.Config
	nodes   []*raftstore.Node // nil: stopped
}

// startCluster starts nodes one after the other, and waits until all have a vote.
func startCluster(t *testing.T, size int, adjust func(*raftstore.Config)) *cluster {
	t.Helper()
	base := t.TempDir() // before the cleanup below, so that it outlives the nodes
	c := &cluster{t: t}
	t.Cleanup(func() {
		for i := range c.nodes {
			c.stop(i)
		}
	})
	for i := range size {
		config := raftstore.Config{
			Dir: filepath.Join(base, fmt.Sprint("node", i)), ListenAddr: freeAddress(t), HTTPAddress: fmt.Sprintf("http://node%d", i),
			HeartbeatTimeout: 200 * time.Millisecond,
			Insecure:         true, // nodes join without a token
			NoSync:           true, // the tests kill no machine, and share one disk
		}
		if i > 0 {
			config.Join = []string{c.configs[0].ListenAddr}
		}
		if adjust != nil {
			adjust(&config)
		}
		if i > 0 && !config.Insecure {
			config.JoinToken = joinToken(t, c.nodes[0])
		}
		c.configs = append(c.configs, config)
		c.nodes = append(c.nodes, nil)
		c.start(i)
		c.waitMembers(i + 1)
	}
	return c
}

// joinToken makes a token at a node.
func joinToken(t *testing.T, n *raftstore.Node) string {
	t.Helper()
	token, _, err := n.NewJoinToken(withPatience(t), time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	return token.Text()
}

func (c *cluster) start(i int) *raftstore.Node {
	c.t.Helper()
	n, err := raftstore.Open(withPatience(c.t), c.configs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[i] = n
	return n
}

func (c *cluster) stop(i int) {
	if n := c.nodes[i]; n != nil {
		c.nodes[i] = nil
		if err := n.Close(); err != nil {
			c.t.Errorf("close node %d: %v", i, err)
		}
	}
}

// waitMembers waits until every running node is ready and sees so many voters.
func (c *cluster) waitMembers(voters int) {
	c.t.Helper()
	for i, n := range c.nodes {
		if n == nil {
			continue
		}
		eventually(c.t, func() error {
			s := n.Status()
			count := 0
			for _, m := range s.Members {
				if m.Voter {
					count++
				}
			}
			if count != voters || !s.Ready {
				return fmt.Errorf("node %d sees %d of %d voters, ready: %v %s", i, count, voters, s.Ready, s.NotReady)
			}
			return nil
		})
	}
}

// leader returns the number of the running node that leads.
func (c *cluster) leader() int {
	c.t.Helper()
	found := -1
	eventually(c.t, func() error {
		for i, n := range c.nodes {
			if n != nil && n.Status().Role == "leader" {
				found = i
				return nil
			}
		}
		return fmt.Errorf("no node leads")
	})
	return found
}

// follower returns the number of a running node that does not lead.
func (c *cluster) follower() int {
	leader := c.leader()
	for i, n := range c.nodes {
		if n != nil && i != leader {
			return i
		}
	}
	c.t.Fatal("no node follows")
	return -1
}

// eventually waits for a condition, and fails with what it last said.
func eventually(t *testing.T, condition func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if err = condition(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
