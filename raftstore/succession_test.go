package raftstore_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// killLeader lets the other members see the leader's process end.
func (s *simulation) killLeader() (leader int) {
	leader = s.leader()
	for _, o := range s.hosts {
		if o != s.hosts[leader] {
			s.net.refuse(s.hosts[leader], o, true)
		}
	}
	return leader
}

// TestKilledLeaderIsMissedAtOnce: with Raft's timeouts alone it takes from half a second on.
func TestKilledLeaderIsMissedAtOnce(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := newSimulation(t, seed, nil)
			term := s.node(s.leader()).Status().Term
			began := time.Now()
			leader := s.killLeader()
			other := s.node((leader + 1) % simNodes)
			if err := writesSoon(s, other, "ana", time.Second); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 150*time.Millisecond {
				t.Errorf("seed %d: from the end of the leader's process to the next write it took %v", seed, took)
			}
			if now := other.Status().Term; now != term+1 {
				t.Errorf("seed %d: %d elections for one leader", seed, now-term)
			}
		})
	}
}

// The member with the longest log stands, and not the first who notices.
func TestLongestLogSucceeds(t *testing.T) {
	for behind := range simNodes - 1 {
		synctest.Test(t, func(t *testing.T) {
			s := newSimulation(t, 1, nil)
			leader := s.leader()
			lagging := (leader + 1 + behind) % simNodes
			s.net.setCut(s.hosts[leader], s.hosts[lagging], true)
			for i := range 5 {
				s.mustWrite(t, leader, fmt.Sprint(i))
			}
			began := time.Now()
			s.killLeader()
			s.net.setCut(s.hosts[leader], s.hosts[lagging], false)
			if err := writesSoon(s, s.node(lagging), "ana", time.Second); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 200*time.Millisecond {
				t.Errorf("it took %v", took)
			}
			if s.node(lagging).Status().Role == "leader" {
				t.Error("a member leads that lacked what was acknowledged")
			}
		})
	}
}

func (s *simulation) mustWrite(t *testing.T, node int, user string) {
	t.Helper()
	if _, err := s.node(node).Write(t.Context(), "s", change(command.Touch, viewer("succession", user))); err != nil {
		t.Fatal(err)
	}
}

// What is no end of the leader's process changes no leader: connections that break,
// and a port that one member alone finds closed.
func TestLeaderThatIsThereStays(t *testing.T) {
	for name, fault := range map[string]func(s *simulation, leader int){
		"connections reset":        func(s *simulation, _ int) { s.net.reset(1) },
		"a port closed to one":     func(s *simulation, leader int) { s.net.refuse(s.hosts[leader], s.hosts[(leader+1)%simNodes], true) },
		"a member that ends":       func(s *simulation, leader int) { s.close((leader + 1) % simNodes) },
		"a member that comes back": func(s *simulation, leader int) { s.close((leader + 1) % simNodes); s.open((leader + 1) % simNodes) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSimulation(t, 1, nil)
				leader := s.leader()
				term := s.node(leader).Status().Term
				for round := range 5 {
					fault(s, leader)
					time.Sleep(300 * time.Millisecond) // less than Raft's own timeouts
					s.net.mend()
					time.Sleep(300 * time.Millisecond)
					s.mustWrite(t, leader, fmt.Sprint(round))
				}
				if now := s.node(leader).Status(); now.Role != "leader" || now.Term != term {
					t.Errorf("the leader of term %d is %s in term %d", term, now.Role, now.Term)
				}
			})
		})
	}
}
