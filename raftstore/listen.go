package raftstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// clusterPort is the one listener of a node: Raft's streams and the requests of
// peers come in by it. It is a raft.StreamLayer.
type clusterPort struct {
	portConfig
	listener  net.Listener
	advertise net.Addr
	strangers strangers

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup // accepting, and every connection that is not Raft's
	raft   chan net.Conn
	muted  atomic.Bool
	opened chan struct{} // closed by open
	lost   chan struct{} // holds an element when a connection of Raft's came to its end

	mu       sync.Mutex // guards what follows
	conns    map[*tracked]struct{}
	greeting []*tracked // accepted and not let in yet, the oldest first
}

// portConfig says how a cluster port works.
type portConfig struct {
	network   network
	address   string                   // host:port to listen on
	advertise string                   // host:port that members are told; "": what address resolves to
	clusterID func() command.ClusterID // zero until it is known
	// serve handles one peer's connection until it ends or the context does; it need
	// not close it. from is zero where the port has no TLS.
	serve       func(ctx context.Context, conn net.Conn, from pki.Identity)
	credentials *pki.Credentials // nil: without TLS
	insecure    bool             // without TLS on any address
	patience    time.Duration    // bounds a greeting; 0 is greetTimeout
	log         *slog.Logger
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

// listen opens the port. Errors: ErrInsecurePort, the system's.
func listen(config portConfig) (*clusterPort, error) {
	listener, err := config.network.Listen(config.address)
	if err != nil {
		return nil, fmt.Errorf("open the cluster port: %w", err)
	}
	orDefault(&config.patience, greetTimeout)
	tcp, ok := listener.Addr().(*net.TCPAddr)
	if config.credentials == nil && !config.insecure && ok && !tcp.IP.IsLoopback() {
		return nil, errors.Join(fmt.Errorf("%w: it would listen on %s", ErrInsecurePort, listener.Addr()), listener.Close())
	}
	advertise := config.advertise
	if advertise == "" {
		if !ok || tcp.IP.IsUnspecified() {
			return nil, errors.Join(fmt.Errorf("the cluster port listens on %s, which other members cannot dial: set the address to advertise", config.address), listener.Close())
		}
		advertise = tcp.String()
	}
	p := &clusterPort{
		portConfig: config, listener: listener, advertise: advertised(advertise), strangers: strangers{log: config.log},
		raft: make(chan net.Conn), opened: make(chan struct{}), lost: make(chan struct{}, 1), conns: map[*tracked]struct{}{},
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
		t := p.track(conn)
		p.wait(t)
		p.work.Go(func() { p.sort(t) })
	}
}

// sort greets a connection and hands it to where it belongs.
func (p *clusterPort) sort(t *tracked) {
	kind, why, err := p.greet(t)
	p.greeted(t)
	if err != nil {
		t.Close()
		if p.ctx.Err() == nil {
			p.strangers.refused(why, t.raw.RemoteAddr(), err)
		}
		return
	}
	switch {
	case kind == prefacePeer:
		select {
		case <-p.opened:
			p.serve(p.ctx, t, t.from)
		case <-p.ctx.Done():
		}
		t.Close()
	case !p.muted.Load():
		p.mu.Lock()
		t.ended = p.suspect
		p.mu.Unlock()
		select {
		case p.raft <- t:
		case <-p.ctx.Done():
			t.Close()
		}
	default:
		t.Close()
	}
}

// suspect has the node look whether the leader is there.
func (p *clusterPort) suspect() {
	select {
	case p.lost <- struct{}{}:
	default:
	}
}

// dial opens a connection of a kind to another member. Errors: ErrOtherCluster,
// ErrCertificate, ErrProtocol, the system's.
func (p *clusterPort) dial(ctx context.Context, address string, kind byte) (net.Conn, error) {
	conn, err := p.network.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	t := p.track(conn)
	if err := p.introduce(ctx, t, kind); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
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
		p.closeConns(func(*tracked) bool { return true })
	}
}

// Close ends every connection and waits for what served them.
func (p *clusterPort) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.closeConns(func(*tracked) bool { return true })
	p.work.Wait()
	return err
}

// closeConns closes the connections of which gone says that they have to go.
func (p *clusterPort) closeConns(gone func(*tracked) bool) {
	p.mu.Lock()
	conns := make([]*tracked, 0, len(p.conns))
	for t := range p.conns {
		if gone(t) {
			conns = append(conns, t)
		}
	}
	p.mu.Unlock()
	for _, t := range conns {
		t.Close()
	}
}

// tracked is a connection that Close of the port finds.
type tracked struct {
	net.Conn          // what is read and written: TLS over raw, or raw
	raw      net.Conn // what is closed: a TLS connection would wait to say goodbye
	port     *clusterPort
	from     pki.Identity // who is at the other end; zero without TLS

	// port.mu guards what follows.

	ended   func()       // is told when it is closed; nil: nobody is
	recheck func() error // whether the other end would still be let in; nil without TLS
}

func (p *clusterPort) track(conn net.Conn) *tracked {
	t := &tracked{Conn: conn, raw: conn, port: p}
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
	ended := t.ended
	t.port.mu.Unlock()
	if ended != nil {
		ended()
	}
	return t.raw.Close()
}
