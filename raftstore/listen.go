package raftstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// Every connection to the cluster port begins with a preface: what it is for, the
// version of the protocol, and the dialler's cluster. A node that took over an
// address of another cluster is turned away before it can disturb an election.
const (
	prefaceRaft    = 'R'
	prefacePeer    = 'P'
	prefaceVersion = 1
	prefaceBytes   = 2 + len(command.ClusterID{})

	prefaceTimeout = 5 * time.Second
)

// clusterPort is the one listener of a node: Raft's streams and the requests of
// peers come in by it. It is a raft.StreamLayer.
type clusterPort struct {
	network   network
	listener  net.Listener
	advertise net.Addr
	clusterID func() command.ClusterID // zero until it is known
	serve     func(context.Context, net.Conn)

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // accepting, and every connection that is not Raft's
	raft   chan net.Conn
	muted  atomic.Bool
	opened chan struct{} // closed by open

	mu    sync.Mutex // guards conns
	conns map[net.Conn]struct{}
}

// advertised is an address that need not be an IP.
type advertised string

func (a advertised) Network() string { return "tcp" }
func (a advertised) String() string  { return string(a) }

// network is what the port listens on and dials by.
type network interface {
	Listen(address string) (net.Listener, error)
	Dial(ctx context.Context, address string) (net.Conn, error)
}

// system is the network of the operating system.
type system struct{}

func (system) Listen(address string) (net.Listener, error) { return net.Listen("tcp", address) }

func (system) Dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", address)
}

// listen opens the port. serve handles one peer's connection until it ends or the
// context does; it need not close it.
func listen(on network, address, advertise string, id func() command.ClusterID, serve func(context.Context, net.Conn)) (*clusterPort, error) {
	listener, err := on.Listen(address)
	if err != nil {
		return nil, fmt.Errorf("open the cluster port: %w", err)
	}
	if advertise == "" {
		tcp, ok := listener.Addr().(*net.TCPAddr)
		if !ok || tcp.IP.IsUnspecified() {
			return nil, errors.Join(fmt.Errorf("the cluster port listens on %s, which other members cannot dial: set the address to advertise", address), listener.Close())
		}
		advertise = tcp.String()
	}
	p := &clusterPort{
		network: on, listener: listener, advertise: advertised(advertise), clusterID: id, serve: serve,
		raft: make(chan net.Conn), opened: make(chan struct{}), conns: map[net.Conn]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.accept)
	return p, nil
}

// open lets peers' requests in: whoever answers them is ready. Call it once.
func (p *clusterPort) open() { close(p.opened) }

func (p *clusterPort) accept() {
	for {
		conn, err := p.listener.Accept()
		if p.ctx.Err() != nil {
			if err == nil {
				conn.Close()
			}
			return
		}
		if err != nil { // out of file descriptors, mostly
			select {
			case <-time.After(50 * time.Millisecond):
			case <-p.ctx.Done():
			}
			continue
		}
		tracked := p.track(conn)
		p.work.Go(func() { p.sort(tracked) })
	}
}

// sort reads the preface and hands the connection to where it belongs.
func (p *clusterPort) sort(conn net.Conn) {
	var preface [prefaceBytes]byte
	conn.SetDeadline(time.Now().Add(prefaceTimeout))
	if _, err := io.ReadFull(conn, preface[:]); err != nil || preface[1] != prefaceVersion || !p.sameCluster(preface[2:]) {
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	switch {
	case preface[0] == prefacePeer:
		select {
		case <-p.opened:
			p.serve(p.ctx, conn)
		case <-p.ctx.Done():
		}
		conn.Close()
	case preface[0] == prefaceRaft && !p.muted.Load():
		select {
		case p.raft <- conn:
		case <-p.ctx.Done():
			conn.Close()
		}
	default:
		conn.Close()
	}
}

// sameCluster lets in whoever does not know its cluster yet: who joins.
func (p *clusterPort) sameCluster(theirs []byte) bool {
	var id command.ClusterID
	copy(id[:], theirs)
	mine := p.clusterID()
	return id == mine || id.IsZero() || mine.IsZero()
}

// dial opens a connection of a kind to another member.
func (p *clusterPort) dial(ctx context.Context, address string, kind byte) (net.Conn, error) {
	conn, err := p.network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	id := p.clusterID()
	conn.SetWriteDeadline(time.Now().Add(prefaceTimeout))
	if _, err := conn.Write(append([]byte{kind, prefaceVersion}, id[:]...)); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetWriteDeadline(time.Time{})
	return p.track(conn), nil
}

// Dial is raft.StreamLayer's.
func (p *clusterPort) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if p.muted.Load() {
		return nil, errors.New("this node is giving up leadership since its disk hangs")
	}
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	return p.dial(ctx, string(address), prefaceRaft)
}

// Accept is raft.StreamLayer's.
func (p *clusterPort) Accept() (net.Conn, error) {
	select {
	case conn := <-p.raft:
		return conn, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr returns the address that members are told.
func (p *clusterPort) Addr() net.Addr { return p.advertise }

// mute cuts this node off from Raft's other members, or lets it back in. A leader
// whose disk hangs goes on to send heartbeats; muted, it loses its followers to a
// leader that can write.
func (p *clusterPort) mute(on bool) {
	p.muted.Store(on)
	if on {
		p.closeConns()
	}
}

// Close ends every connection and waits for what served them.
func (p *clusterPort) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.closeConns()
	p.work.Wait()
	return err
}

func (p *clusterPort) closeConns() {
	p.mu.Lock()
	conns := make([]net.Conn, 0, len(p.conns))
	for c := range p.conns {
		conns = append(conns, c)
	}
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// tracked is a connection that Close of the port finds.
type tracked struct {
	net.Conn
	port *clusterPort
}

func (p *clusterPort) track(conn net.Conn) net.Conn {
	t := &tracked{conn, p}
	p.mu.Lock()
	p.conns[t] = struct{}{}
	p.mu.Unlock()
	if p.ctx.Err() != nil { // Close may have looked before
		t.Close()
	}
	return t
}

// Close closes the connection and forgets it.
func (t *tracked) Close() error {
	t.port.mu.Lock()
	delete(t.port.conns, t)
	t.port.mu.Unlock()
	return t.Conn.Close()
}
