package raftstore

import (
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"
)

// refusal is why a connection to the cluster port was dropped.
type refusal string

const (
	refusedHandshake   refusal = "handshake"   // no TLS, or none that works
	refusedCertificate refusal = "certificate" // of another authority, cluster or role, or not valid now
	refusedPreface     refusal = "preface"     // garbage, silence, or another version
	refusedCluster     refusal = "cluster"     // a node of another cluster
)

// strangersLogged is how far apart the lines of the log are.
const strangersLogged = 10 * time.Second

// strangers counts who was turned away, and logs it at a bounded rate.
type strangers struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows
	counts  map[refusal]uint64
	last    time.Time // of a line of the log
	unnamed int       // since then
}

func (s *strangers) refused(why refusal, who net.Addr, cause error) {
	s.mu.Lock()
	if s.counts == nil {
		s.counts = map[refusal]uint64{}
	}
	s.counts[why]++
	s.unnamed++
	unnamed := s.unnamed
	now := time.Now()
	quiet := now.Sub(s.last) < strangersLogged
	if !quiet {
		s.last, s.unnamed = now, 0
	}
	s.mu.Unlock()
	if !quiet {
		s.log.Warn("a connection to the cluster port was refused", "reason", string(why), "from", who.String(), "error", cause, "refused_since_last_line", unnamed)
	}
}

// Strangers returns how many connections to the cluster port this node has
// refused, by reason: handshake, certificate, preface or cluster.
func (n *Node) Strangers() map[string]uint64 {
	all := map[string]uint64{}
	for _, why := range []refusal{refusedHandshake, refusedCertificate, refusedPreface, refusedCluster} {
		all[string(why)] = 0
	}
	if n.port == nil {
		return all
	}
	s := &n.port.strangers
	s.mu.Lock()
	defer s.mu.Unlock()
	for why, count := range maps.All(s.counts) {
		all[string(why)] = count
	}
	return all
}
