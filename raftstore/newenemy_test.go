package raftstore_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// TestNewEnemy is the problem of the Zanzibar paper, section 2.2, in both of its
// variants, against a node that lags because it is cut off from its leader.
func TestNewEnemy(t *testing.T) {
	// Ana is taken out of the folder, then a document is put there: it must be seen
	// nowhere together with her access, not even where nobody gave a token.
	t.Run("the order of two changes", func(t *testing.T) {
		newEnemy(t, func(s *simulation, random *rand.Rand, writer, reader *raftstore.Node, lag func()) {
			t := s.t // the bubble's
			ana, document := viewer("folder", "ana"), viewer("document", "folder")
			write(t, writer, "s", change(command.Touch, ana))
			var work sync.WaitGroup
			done := make(chan struct{})
			for _, n := range s.nodes {
				work.Go(func() {
					for seen := false; !seen; time.Sleep(time.Millisecond) {
						view, err := n.View(t.Context(), "s", raftstore.MinimizeLatency())
						if err != nil {
							t.Error(err)
							return
						}
						if seen = viewHas(t, view, document); seen && viewHas(t, view, ana) {
							t.Errorf("at revision %d the document is there and ana may still see it", view.Revision())
						}
						view.Close()
						select {
						case <-done:
							return
						default:
						}
					}
				})
			}
			lag()
			write(t, writer, "s", change(command.Delete, ana))
			put := write(t, s.node(random.IntN(simNodes)), "s", change(command.Touch, document))
			if has(t, reader, "s", raftstore.AtLeastAsFresh(put.Revision), ana) {
				t.Error("with the token of the document ana may see it")
			}
			close(done)
			work.Wait()
			write(t, writer, "s", change(command.Delete, document))
		})
	})
	// Ana is taken out of the document, then something new is written into it, which
	// keeps beside it the token that its writer then held. Whoever asks with that
	// token must not find ana, while the node that is asked would still find her.
	t.Run("an old list for new content", func(t *testing.T) {
		newEnemy(t, func(s *simulation, _ *rand.Rand, writer, reader *raftstore.Node, lag func()) {
			t := s.t // the bubble's
			ana := viewer("document", "ana")
			granted := write(t, writer, "s", change(command.Touch, ana))
			if !has(t, reader, "s", raftstore.AtLeastAsFresh(granted.Revision), ana) {
				t.Error("ana has no access yet")
			}
			lag()
			removed := write(t, writer, "s", change(command.Delete, ana))
			revision, err := reader.ParseToken(removed.Token)
			if err != nil {
				t.Fatal(err)
			}
			if !has(t, reader, "s", raftstore.MinimizeLatency(), ana) {
				s.figures.faults["not behind"]++
			}
			for _, c := range []raftstore.Consistency{raftstore.AtLeastAsFresh(revision), raftstore.AtExactSnapshot(revision), raftstore.FullyConsistent()} {
				if has(t, reader, "s", c, ana) {
					t.Errorf("ana sees what was written after she lost access (%+v)", c)
				}
			}
		})
	})
}

// newEnemy plays a scenario many times. lag cuts the reader off from the leader
// for a while, unless it leads itself: then it only goes on.
func newEnemy(t *testing.T, scenario func(s *simulation, random *rand.Rand, writer, reader *raftstore.Node, lag func())) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		s := newSimulation(t, 1, func(c *raftstore.Config) { c.MaxWait = 10 * time.Second })
		const rounds = 20
		lagged := 0
		for range rounds {
			reader := random.IntN(simNodes)
			writer := (reader + 1 + random.IntN(simNodes-1)) % simNodes
			var mending sync.WaitGroup
			scenario(s, random, s.node(writer), s.node(reader), func() {
				leader := s.leader()
				if leader == reader || leader < 0 {
					return
				}
				lagged++
				for _, o := range s.hosts {
					s.net.setCut(o, s.hosts[reader], true)
				}
				after := time.Duration(300+random.IntN(1500)) * time.Millisecond
				mending.Go(func() {
					time.Sleep(after)
					s.net.mend()
				})
			})
			mending.Wait()
			eventually(t, func() error {
				if s.leader() < 0 {
					return fmt.Errorf("no leader")
				}
				return nil
			})
		}
		if behind := lagged - s.figures.faults["not behind"]; behind < rounds/4 {
			t.Errorf("the reader was behind in %d rounds: this tries little", behind)
		}
	})
}
