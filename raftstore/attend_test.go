package raftstore

import (
	"strings"
	"testing"

	"github.com/hashicorp/raft"
)

// Members are written: upper case has a vote, ! does not answer and is dead, ? does
// not answer and is not dead yet.
func TestDeadMember(t *testing.T) {
	for _, c := range []struct {
		members   string
		minVoters int
		want      string
	}{
		{"A B C", 3, ""},
		{"A B C!", 3, ""},       // three shall stay
		{"A B C!", 2, "C"},      // two may
		{"A B C D!", 3, "D"},    // another came in its place
		{"A B C D?", 3, ""},     // not for long enough
		{"A B! C!", 1, ""},      // the rest is no majority
		{"A B C! D!", 1, ""},    // nor half
		{"A B C D! E!", 3, "D"}, // one at a time
		{"A B C d!", 3, "d"},    // a replica counts for nothing
		{"A b!", 3, "b"},
		{"A B! c!", 1, ""}, // no majority answers: nothing is known
	} {
		var servers []raft.Server
		there, dead := map[raft.ServerID]bool{}, map[raft.ServerID]bool{}
		for _, word := range strings.Fields(c.members) {
			id := raft.ServerID(word[:1])
			s := raft.Server{ID: id, Suffrage: raft.Voter}
			if strings.ToLower(word[:1]) == word[:1] {
				s.Suffrage = raft.Nonvoter
			}
			servers = append(servers, s)
			there[id], dead[id] = len(word) == 1, strings.HasSuffix(word, "!")
		}
		got, _ := deadMember(servers, there, func(id raft.ServerID) bool { return dead[id] }, c.minVoters)
		if string(got.ID) != c.want {
			t.Errorf("%s with at least %d: removes %q, want %q", c.members, c.minVoters, got.ID, c.want)
		}
	}
}
