package raftstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The variables of a longer run: docs/testing.md.
const (
	tortureTime = "PEMBA_TORTURE"      // how much virtual time, as "1h"
	tortureSeed = "PEMBA_TORTURE_SEED" // of the faults and the operations
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

// torment lets faults come and go for some virtual time, one or two at a time,
// and lets the cluster find itself again now and then.
func (s *simulation) torment(random *rand.Rand, for_ time.Duration) {
	begin, term := time.Now(), uint64(0)
	for round := 0; time.Since(begin) < for_; round++ {
		var mends []func()
		for range 1 + random.IntN(2) {
			name, mend := s.fault(random)
			s.figures.faults[name]++
			mends = append(mends, mend)
		}
		time.Sleep(time.Duration(50+random.IntN(4000)) * time.Millisecond)
		for _, mend := range mends {
			mend()
		}
		if random.IntN(2) == 0 {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
		}
		if round%4 == 3 {
			s.era.Add(1)
		}
		if leader := s.leader(); leader >= 0 {
			if n := s.node(leader); n != nil && n.Status().Term != term {
				term = n.Status().Term
				s.figures.leaders++
			}
		}
	}
}

// fault begins one and returns what ends it. Half of those that concern a node
// concern the leader.
func (s *simulation) fault(random *rand.Rand) (name string, mend func()) {
	i := random.IntN(simNodes)
	if leader := s.leader(); leader >= 0 && random.IntN(2) == 0 {
		i = leader
	}
	host, other := s.hosts[i], s.hosts[(i+1+random.IntN(simNodes-1))%simNodes]
	both := func(on bool) {
		for _, o := range s.hosts {
			if o != host {
				s.net.setCut(host, o, on)
				s.net.setCut(o, host, on)
			}
		}
	}
	switch random.IntN(15) {
	case 0, 1:
		both(true)
		return "one node cut off", func() { both(false) }
	case 2:
		s.net.setCut(host, other, true)
		return "one direction of one link cut", func() { s.net.setCut(host, other, false) }
	case 3:
		for _, o := range s.hosts {
			s.net.setCut(host, o, true)
		}
		return "one node heard by nobody", func() {
			for _, o := range s.hosts {
				s.net.setCut(host, o, false)
			}
		}
	case 4:
		for range 5 {
			both(true)
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
			both(false)
			time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		}
		return "a flapping link", func() {}
	case 5:
		for _, l := range s.links {
			l.set(0.1, 0.1, 0)
		}
		return "messages lost and doubled", func() { s.plain() }
	case 6:
		for _, l := range s.links {
			l.set(0.01, 0.2, 200*time.Millisecond)
		}
		return "messages late", func() { s.plain() }
	case 7:
		s.net.setDelay(0, 300*time.Millisecond)
		return "a slow network", func() { s.net.setDelay(50*time.Microsecond, time.Millisecond) }
	case 8:
		s.net.reset(0.5)
		return "connections reset", func() {}
	case 9:
		s.close(i)
		return "a node stopped", func() { s.open(i) }
	case 10: // without a chance to hand over
		both(true)
		s.close(i)
		both(false)
		return "a node gone at once", func() { s.open(i) }
	case 11:
		s.links[i].refuse.Store(true)
		return "entries refused", func() { s.links[i].refuse.Store(false) }
	case 12:
		if n := s.node(i); n != nil {
			n.TransferLeadership(s.t.Context()) // mostly in vain: half of the time this is not the leader
		}
		return "leadership handed over", func() {}
	case 13:
		s.leap[i].Store(random.Int64N(int64(4*time.Hour)) - int64(2*time.Hour))
		return "a clock that leaps", func() { s.leap[i].Store(0) }
	default:
		s.hang[i].Store(true)
		return "a disk that hangs", func() { s.hang[i].Store(false) }
	}
}

func (s *simulation) plain() {
	for _, l := range s.links {
		l.set(0, 0, 0)
		l.refuse.Store(false)
	}
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

// TestTorture lets clients read and write registers through all nodes while the
// network, the disks and the nodes fail in every way that the simulation knows,
// and has porcupine look for an order of all operations that explains every
// answer. It runs in virtual time: nothing waits, and a busy machine changes
// nothing. The seed fixes the faults and what the clients draw, though not how the
// goroutines take turns.
func TestTorture(t *testing.T) {
	virtual, seed := 2*time.Minute, rand.Uint64()
	if testing.Short() {
		virtual = 20 * time.Second
	}
	if text := os.Getenv(tortureTime); text != "" {
		var err error
		if virtual, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv(tortureSeed); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%s=%d", tortureSeed, seed)
	began := time.Now()
	var s *simulation
	synctest.Test(t, func(t *testing.T) {
		s = newSimulation(t, seed, nil)
		var clients sync.WaitGroup
		for id := range 9 {
			clients.Go(func() { s.client(id, rand.New(rand.NewPCG(seed, 100+uint64(id)))) })
		}
		random := rand.New(rand.NewPCG(seed, 99))
		s.torment(random, virtual)
		s.net.mend()
		s.plain()
		close(s.stop)
		clients.Wait()
		s.settle(random)
	})
	checkFacts(t, s.facts)
	result, _ := porcupine.CheckOperationsVerbose(registers, s.history, 2*time.Minute)
	if result != porcupine.Ok {
		t.Errorf("no order explains the history of %d operations: %s", len(s.history), result)
	}
	f := &s.figures
	var lost, doubled, broken int64
	for _, l := range s.links {
		lost, doubled, broken = lost+l.lost.Load(), doubled+l.doubled.Load(), broken+l.broken.Load()
	}
	t.Logf("%v of virtual time in %v: %d operations in the history (%d writes, %d swaps of which %d refused, %d fully consistent reads), explained; %d eras of registers",
		virtual, time.Since(began).Round(time.Millisecond), len(s.history), f.writes.Load(), f.swaps.Load(), f.refused.Load(), f.reads.Load(), s.era.Load()+1)
	t.Logf("%d reads at least as fresh as a token, %d at exactly one, %d plain; %d values at revisions agree", f.fresh.Load(), f.exact.Load(), f.plain.Load(), len(s.facts))
	t.Logf("%d outcomes unknown, %d of them found out by asking again; %d requests failed for certain", f.unknown.Load(), f.resolved.Load(), f.failed.Load())
	t.Logf("%d leaders; faults: %v; Raft's messages: %d lost, %d doubled; %d snapshots broken off", f.leaders, f.faults, lost, doubled, broken)
}
