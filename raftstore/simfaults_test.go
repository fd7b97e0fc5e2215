package raftstore_test

import (
	"math/rand/v2"
	"time"
)

// torment lets faults come and go for some virtual time, one or two at a time,
// and lets the cluster find itself again now and then.
func (s *simulation) torment(random *rand.Rand, span time.Duration) {
	begin, term := time.Now(), uint64(0)
	for round := 0; time.Since(begin) < span; round++ {
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
	both := func(on bool) { s.cutOff(i, on) }
	switch random.IntN(16) {
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
		for _, o := range s.hosts {
			if o != host {
				s.net.refuse(host, o, true)
			}
		}
		s.close(i)
		return "a process killed", func() {
			for _, o := range s.hosts {
				s.net.refuse(host, o, false)
			}
			s.open(i)
		}
	case 12:
		s.links[i].refuse.Store(true)
		return "entries refused", func() { s.links[i].refuse.Store(false) }
	case 13:
		if n := s.node(i); n != nil {
			n.TransferLeadership(s.t.Context()) // mostly in vain: half of the time this is not the leader
		}
		return "leadership handed over", func() {}
	case 14:
		s.leap[i].Store(random.Int64N(int64(4*time.Hour)) - int64(2*time.Hour))
		return "a clock that leaps", func() { s.leap[i].Store(0) }
	default:
		s.hang[i].Store(true)
		return "a disk that hangs", func() { s.hang[i].Store(false) }
	}
}

// cutOff cuts a node off from all others, or mends that.
func (s *simulation) cutOff(i int, on bool) {
	for _, o := range s.hosts {
		if o != s.hosts[i] {
			s.net.setCut(s.hosts[i], o, on)
			s.net.setCut(o, s.hosts[i], on)
		}
	}
}

func (s *simulation) plain() {
	for _, l := range s.links {
		l.set(0, 0, 0)
		l.refuse.Store(false)
	}
}
