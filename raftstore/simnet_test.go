package raftstore_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// simNet is a network in memory, for nodes that run in virtual time. Like TCP it
// keeps the bytes of a connection in order and loses none while the connection
// lasts: what is sent into a cut arrives when the cut is mended. All waiting is on
// channels and timers, so that a synctest bubble knows when nothing moves.
type simNet struct {
	mu        sync.Mutex // guards what follows, and every simConn
	random    *rand.Rand
	listeners map[string]*simListener
	conns     map[*simConn]struct{}
	hosts     map[string]string // by address of a listener
	cut       map[[2]string]bool
	refused   map[[2]string]bool // whose connections are refused, both ways
	least     time.Duration      // the shortest and the longest way of a chunk
	most      time.Duration
	changed   chan struct{} // closed and replaced whenever something may move
}

func newSimNet(seed uint64) *simNet {
	return &simNet{
		random: rand.New(rand.NewPCG(seed, 1)), listeners: map[string]*simListener{}, conns: map[*simConn]struct{}{},
		hosts: map[string]string{}, cut: map[[2]string]bool{}, refused: map[[2]string]bool{}, least: 50 * time.Microsecond, most: time.Millisecond,
		changed: make(chan struct{}),
	}
}

func (n *simNet) signal() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// setCut makes or mends a cut of one direction.
func (n *simNet) setCut(from, to string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = on
	n.signal()
}

// setDelay says how long chunks are under way from now on.
func (n *simNet) setDelay(least, most time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.least, n.most = least, most
}

// mend ends every cut and delay.
func (n *simNet) mend() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
	clear(n.refused)
	n.least, n.most = 50*time.Microsecond, time.Millisecond
	n.signal()
}

// reset breaks connections, each with a probability, as a firewall that restarts
// does: bytes under way are lost.
func (n *simNet) reset(probability float64) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		if n.random.Float64() < probability && c.broken == nil {
			c.broken, c.other.broken = syscall.ECONNRESET, syscall.ECONNRESET
			count++
		}
	}
	n.signal()
	return count
}

// refuse breaks the connections between two hosts and refuses further ones, or no
// longer does. Between a host and all others that is how they see its process end.
func (n *simNet) refuse(host, other string, on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refused[[2]string{host, other}], n.refused[[2]string{other, host}] = on, on
	for c := range n.conns {
		if on && (c.from == host && c.to == other || c.from == other && c.to == host) {
			c.broken = syscall.ECONNRESET
		}
	}
	n.signal()
}

// wait lets go of the mutex until something changes or an instant comes; the zero
// instant never does.
func (n *simNet) wait(until time.Time) {
	changed := n.changed
	n.mu.Unlock()
	defer n.mu.Lock()
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

func (n *simNet) way() time.Duration {
	return n.least + time.Duration(n.random.Int64N(int64(n.most-n.least)+1))
}

// simHost is the network as one node sees it.
type simHost struct {
	*simNet
	name string
}

func (h simHost) Listen(address string) (net.Listener, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners[address] != nil {
		return nil, syscall.EADDRINUSE
	}
	l := &simListener{net: h.simNet, address: address}
	h.listeners[address], h.hosts[address] = l, h.name
	return l, nil
}

func (h simHost) Dial(ctx context.Context, address string) (net.Conn, error) {
	wake := context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.signal()
	})
	defer wake()
	h.mu.Lock()
	defer h.mu.Unlock()
	arrives := time.Now().Add(h.way())
	for {
		to := h.hosts[address]
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case h.cut[[2]string{h.name, to}] || h.cut[[2]string{to, h.name}]: // the first packet or its answer is lost
			h.wait(time.Time{})
			continue
		case time.Now().Before(arrives):
			h.wait(arrives)
			continue
		}
		l := h.listeners[address]
		if l == nil || h.refused[[2]string{h.name, to}] {
			return nil, syscall.ECONNREFUSED
		}
		near, far := &simConn{net: h.simNet, from: h.name, to: to}, &simConn{net: h.simNet, from: to, to: h.name}
		near.other, far.other = far, near
		h.conns[near], h.conns[far] = struct{}{}, struct{}{}
		l.backlog = append(l.backlog, far)
		h.signal()
		return near, nil
	}
}

type simListener struct {
	net     *simNet
	address string
	backlog []*simConn
	closed  bool
}

func (l *simListener) Accept() (net.Conn, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for {
		if l.closed {
			return nil, net.ErrClosed
		}
		if len(l.backlog) > 0 {
			c := l.backlog[0]
			l.backlog = l.backlog[1:]
			return c, nil
		}
		l.net.wait(time.Time{})
	}
}

func (l *simListener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	delete(l.net.listeners, l.address)
	for _, c := range l.backlog {
		c.broken, c.other.broken = syscall.ECONNRESET, syscall.ECONNRESET
	}
	l.net.signal()
	return nil
}

func (l *simListener) Addr() net.Addr {
	address, _ := net.ResolveTCPAddr("tcp", l.address)
	return address
}

// simConn is one end of a connection. The mutex of its net guards it.
type simConn struct {
	net      *simNet
	from, to string
	other    *simConn
	incoming []chunk
	buffered int  // bytes of incoming
	ended    bool // the other end was closed, behind incoming
	closed   bool
	broken   error
	readBy   time.Time
	writeBy  time.Time
}

// chunk is what one Write sent.
type chunk struct {
	at   time.Time // when it arrives
	data []byte
}

// window is how much a connection holds that nobody has read.
const window = 256 << 10

func (c *simConn) Read(b []byte) (int, error) {
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		cut := n.cut[[2]string{c.to, c.from}]
		now, until := time.Now(), c.readBy
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.broken != nil:
			return 0, c.broken
		case len(c.incoming) > 0 && !cut && !now.Before(c.incoming[0].at):
			first := &c.incoming[0]
			got := copy(b, first.data)
			if first.data = first.data[got:]; len(first.data) == 0 {
				c.incoming = c.incoming[1:]
			}
			c.buffered -= got
			n.signal()
			return got, nil
		case len(c.incoming) == 0 && c.ended && !cut:
			return 0, io.EOF
		case !c.readBy.IsZero() && !now.Before(c.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(c.incoming) > 0 && !cut && (until.IsZero() || c.incoming[0].at.Before(until)):
			until = c.incoming[0].at
		}
		n.wait(until)
	}
}

func (c *simConn) Write(b []byte) (int, error) {
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case c.broken != nil:
			return 0, c.broken
		case c.other.closed && !n.cut[[2]string{c.from, c.to}]:
			return 0, syscall.EPIPE
		case !c.writeBy.IsZero() && !time.Now().Before(c.writeBy):
			return 0, os.ErrDeadlineExceeded
		case c.other.buffered < window:
			at := time.Now().Add(n.way())
			if last := len(c.other.incoming) - 1; last >= 0 && at.Before(c.other.incoming[last].at) {
				at = c.other.incoming[last].at
			}
			c.other.incoming = append(c.other.incoming, chunk{at, append([]byte(nil), b...)})
			c.other.buffered += len(b)
			n.signal()
			return len(b), nil
		}
		n.wait(c.writeBy)
	}
}

func (c *simConn) Close() error {
	n := c.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed, c.other.ended = true, true
	delete(n.conns, c)
	n.signal()
	return nil
}

func (c *simConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *simConn) SetReadDeadline(t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.readBy = t
	c.net.signal()
	return nil
}

func (c *simConn) SetWriteDeadline(t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.writeBy = t
	c.net.signal()
	return nil
}

func (c *simConn) LocalAddr() net.Addr  { return simAddr(c.from) }
func (c *simConn) RemoteAddr() net.Addr { return simAddr(c.to) }

type simAddr string

func (a simAddr) Network() string { return "sim" }
func (a simAddr) String() string  { return string(a) }
