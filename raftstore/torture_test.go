package raftstore_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"
)

// The variables of a longer run: docs/testing.md.
const (
	tortureTime = "PEMBA_TORTURE"      // how much virtual time, as "1h"
	tortureSeed = "PEMBA_TORTURE_SEED" // of the faults and the operations
)

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
