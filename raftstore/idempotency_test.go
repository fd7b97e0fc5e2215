package raftstore_test

import (
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
)

// A key is known to every later leader: to one that followed, and to one that had
// the state by a snapshot or from its own disk.
func TestKeysAreKnownToLaterLeaders(t *testing.T) {
	c := startCluster(t, 3, compacting)
	putStore(t, c.nodes[0], "s")
	request := change(command.Create, viewer("d", "u"))
	request.IdempotencyKey, request.FirstTried = "k", 1
	first := write(t, c.nodes[c.leader()], "s", request)
	write(t, c.nodes[c.leader()], "s", change(command.Delete, viewer("d", "u")))
	for round := range 3 {
		old := c.leader()
		c.stop(old)
		again := write(t, c.nodes[c.leader()], "s", request)
		if !again.Replayed || again.Revision != first.Revision || again.Created != 1 {
			t.Errorf("repeated at another leader: %+v, want the answer of revision %d", again.Result, first.Revision)
		}
		fill(t, c.nodes[c.leader()], "s", fmt.Sprint("more", round), 30)
		c.start(old)
		c.waitMembers(3)
	}
	if has(t, c.nodes[c.leader()], "s", raftstore.FullyConsistent(), viewer("d", "u")) {
		t.Error("a repetition brought the deleted tuple back")
	}
}
