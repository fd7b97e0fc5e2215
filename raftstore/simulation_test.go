package raftstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
)

const simNodes = 3

// simulation is a cluster in virtual time on a network in memory, with clients
// that record what they see and faults that come and go.
type simulation struct {
	t       *testing.T
	net     *simNet
	configs []raftstore.Config
	hosts   []string
	links   []*messages
	hang    []*atomic.Bool  // the disk of the log
	slow    atomic.Int64    // how long every append to a log takes, in nanoseconds
	leap    []*atomic.Int64 // how far the clock is wrong, in nanoseconds

	mu    sync.RWMutex // guards nodes
	nodes []*raftstore.Node

	stop    chan struct{}
	clock   atomic.Int64 // orders the calls and answers of all clients
	serial  atomic.Int64 // of what is written
	era     atomic.Int64 // registers of an era are left alone in the next
	figures figures

	record  sync.Mutex // guards what follows
	history []porcupine.Operation
	facts   []fact
	tokens  []token
}

// newSimulation starts a cluster. It runs in a synctest bubble.
func newSimulation(t *testing.T, seed uint64, adjust func(*raftstore.Config)) *simulation {
	s := &simulation{t: t, net: newSimNet(seed), stop: make(chan struct{}), figures: figures{faults: map[string]int{}}}
	dir := t.TempDir()
	t.Cleanup(func() {
		s.net.mend()
		for i := range s.nodes {
			s.close(i)
		}
	})
	for i := range simNodes {
		s.hosts = append(s.hosts, fmt.Sprint("node", i))
		s.links = append(s.links, newMessages(seed+uint64(i)))
		s.hang = append(s.hang, new(atomic.Bool))
		leap := new(atomic.Int64)
		s.leap = append(s.leap, leap)
		config := raftstore.Config{
			Dir: filepath.Join(dir, s.hosts[i]), ListenAddr: fmt.Sprintf("127.0.0.%d:8421", i+1), NodeID: s.hosts[i], Insecure: true,
			MaxWait: 2 * time.Second, StallTimeout: time.Second,
			SnapshotEntries: 300, SnapshotInterval: 5 * time.Second, TrailingEntries: 50, TrailingBytes: -1,
			CollectInterval: 20 * time.Second, ScrubInterval: 5 * time.Minute, HistoryWindow: 2 * time.Minute, NoSync: true,
			Clock: func() time.Time { return time.Now().Add(time.Duration(leap.Load())) },
		}
		if i > 0 {
			config.Join = []string{s.configs[0].ListenAddr}
		}
		if adjust != nil {
			adjust(&config)
		}
		s.configs = append(s.configs, config)
		s.nodes = append(s.nodes, nil)
		s.open(i)
		s.node(i).WaitReady(t.Context())
	}
	putStore(t, s.node(0), "s")
	eventually(t, func() error {
		for _, n := range s.nodes {
			voters := 0
			for _, m := range n.Status().Members {
				if m.Voter {
					voters++
				}
			}
			if _, err := n.Store(t.Context(), "s"); err != nil {
				return err
			}
			if voters != simNodes {
				return fmt.Errorf("%d of %d members vote", voters, simNodes)
			}
		}
		return nil
	})
	return s
}

// open starts a node, unless it runs: two faults may have stopped the same one.
func (s *simulation) open(i int) {
	if s.node(i) != nil {
		return
	}
	hang := s.hang[i]
	config := s.configs[i].WithNetwork(simHost{s.net, s.hosts[i]}).WithTransport(s.links[i].wrap).WithStoring(func() {
		time.Sleep(time.Duration(s.slow.Load()))
		for hang.Load() {
			time.Sleep(10 * time.Millisecond)
		}
	})
	n, err := raftstore.Open(s.t.Context(), config)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.nodes[i] = n
	s.mu.Unlock()
}

func (s *simulation) close(i int) {
	s.mu.Lock()
	n := s.nodes[i]
	s.nodes[i] = nil
	s.mu.Unlock()
	if n == nil {
		return
	}
	s.hang[i].Store(false) // a process that is killed waits for no disk
	if err := n.Close(); err != nil {
		s.t.Errorf("close %s: %v", s.hosts[i], err)
	}
}

func (s *simulation) node(i int) *raftstore.Node {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.nodes[i]
}

// leader returns the number of the node that leads in the highest term, -1 for none.
func (s *simulation) leader() int {
	found, term := -1, uint64(0)
	for i := range s.nodes {
		if n := s.node(i); n != nil {
			if status := n.Status(); status.Role == "leader" && status.Term > term {
				found, term = i, status.Term
			}
		}
	}
	return found
}

// settle mends everything and demands that all nodes then hold the same, now and
// at past revisions.
func (s *simulation) settle(random *rand.Rand) {
	s.net.mend()
	s.plain()
	var head tuple.Revision
	for i := range s.nodes {
		s.hang[i].Store(false)
		eventually(s.t, func() error {
			view, err := s.node(i).View(s.t.Context(), "s", raftstore.FullyConsistent())
			if err == nil {
				head = max(head, view.Revision())
				view.Close()
			}
			return err
		})
	}
	past := []tuple.Revision{head}
	for _, w := range s.tokens[max(len(s.tokens)-300, 0):] {
		if random.IntN(10) == 0 {
			past = append(past, w.revision)
		}
	}
	for _, r := range past {
		var want []string
		for i := range s.nodes {
			view, err := s.node(i).View(s.t.Context(), "s", raftstore.AtExactSnapshot(r))
			if errors.Is(err, raftstore.ErrRevisionUnavailable) {
				continue // behind the window
			}
			if err != nil {
				s.t.Errorf("%s at %d: %v", s.hosts[i], r, err)
				continue
			}
			view.Close()
			got := keys(s.t, s.node(i), "s", raftstore.AtExactSnapshot(r))
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				s.t.Errorf("at revision %d %s holds %d tuples, another node %d", r, s.hosts[i], len(got), len(want))
			}
		}
	}
}
