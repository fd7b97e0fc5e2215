package raftstore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// TestFollowerFilledUnderLoadAnswersLikeItsSource lets a follower fall behind the
// log's beginning while clients write, breaks off the transfer of the state again
// and again, and compares what the follower then answers, at every revision of
// the window, with what the others do.
func TestFollowerFilledUnderLoadAnswersLikeItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSimulation(t, 3, func(c *raftstore.Config) {
			compacting(c)
			c.HistoryWindow = time.Hour
		})
		stop := make(chan struct{})
		var mu sync.Mutex // guards revisions
		var revisions []tuple.Revision
		var clients sync.WaitGroup
		lagging := (s.leader() + 1) % simNodes
		for id := range 3 {
			random := rand.New(rand.NewPCG(3, uint64(id)))
			clients.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Duration(random.IntN(5)) * time.Millisecond):
					}
					op := command.Touch
					if random.IntN(3) == 0 {
						op = command.Delete
					}
					n := s.node((lagging + 1 + id%2) % simNodes)
					if written, err := n.Write(t.Context(), "s", change(op, viewer(fmt.Sprint("d", random.IntN(20)), fmt.Sprint(random.IntN(10))))); err == nil {
						mu.Lock()
						revisions = append(revisions, written.Revision)
						mu.Unlock()
					}
				}
			})
		}
		var broken int64
		for range 2 {
			s.close(lagging)
			time.Sleep(time.Second) // the others drop the log that it would need
			for _, l := range s.links {
				l.set(0.4, 0, 0)
			}
			s.open(lagging)
			time.Sleep(2 * time.Second)
			s.plain()
			want := s.node((lagging + 1) % simNodes).Status().Applied
			eventually(t, func() error {
				if got := s.node(lagging).Status().Applied; got < want {
					return fmt.Errorf("the follower is at %d, the others were at %d", got, want)
				}
				return nil
			})
		}
		close(stop)
		clients.Wait()
		for _, l := range s.links {
			broken += l.broken.Load()
		}
		if broken == 0 {
			t.Error("no transfer was broken off: this tries nothing")
		}
		slices.Sort(revisions)
		compared := 0
		for i := 0; i < len(revisions); i += max(len(revisions)/100, 1) {
			at := raftstore.AtExactSnapshot(revisions[i])
			want := keys(t, s.node((lagging+1)%simNodes), "s", at)
			if got := keys(t, s.node(lagging), "s", at); !slices.Equal(got, want) {
				t.Errorf("at revision %d the follower holds %d tuples, its source %d", revisions[i], len(got), len(want))
			}
			compared++
		}
		t.Logf("%d transfers broken off; %d of %d revisions compared", broken, compared, len(revisions))
	})
}
