package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/pemba-authz/pemba/server"
)

// process is a node with its server: what serve and dev run.
type process struct {
	node    *raftstore.Node
	url     string           // of the HTTP surface
	web     *pki.Credentials // nil: the HTTP surface has no TLS
	log     *slog.Logger
	metrics string // the address of the metrics; "" when there are none
	stop    context.CancelFunc
	wait    sync.WaitGroup // the listeners' goroutines
	failed  chan error     // what ended a listener early
}

// processConfig says what to start.
type processConfig struct {
	httpAddr    string // host:port
	metricsAddr string // host:port; "" is none
	url         string // what other members tell clients; "" is made of the listener's address
	store       raftstore.Config
	server      server.Config
	web         pki.Files // of the HTTP surface; zero: without TLS
}

// spareThread has Go run one goroutine more than there are cores. Long requests may
// fill the cores then, and the system still gives the network its turn at once:
// Go by itself looks at it every ten milliseconds only while all its threads work.
// It stays with what GOMAXPROCS says, and within the processor time of a container
// that may not use all cores.
var spareThread = sync.OnceFunc(func() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == runtime.NumCPU() {
		runtime.GOMAXPROCS(runtime.NumCPU() + 1)
	}
})

// start opens the ports, then the node, and serves until stop. The caller calls
// close once.
func start(ctx context.Context, config processConfig) (_ *process, err error) {
	spareThread()
	p := &process{failed: make(chan error, 2), log: config.server.Logger}
	scheme := "http://"
	if config.web != (pki.Files{}) {
		if p.web, err = pki.Load(config.web); err != nil {
			return nil, fmt.Errorf("the certificates of the HTTP port: %w", err)
		}
		config.server.TLS = p.web.Web()
		scheme = "https://"
	}
	listener, err := net.Listen("tcp", config.httpAddr)
	if err != nil {
		return nil, fmt.Errorf("the HTTP port: %w", err)
	}
	p.url = scheme + reachable(listener.Addr(), "localhost")
	closers := []func() error{listener.Close}
	defer func() {
		if err != nil {
			for _, c := range closers {
				err = errors.Join(err, c())
			}
		}
	}()
	var metrics net.Listener
	if config.metricsAddr != "" {
		if metrics, err = net.Listen("tcp", config.metricsAddr); err != nil {
			return nil, fmt.Errorf("the metrics port: %w", err)
		}
		closers = append(closers, metrics.Close)
		p.metrics = metrics.Addr().String()
	}
	if config.store.HTTPAddress = config.url; config.url == "" {
		host, _, err := net.SplitHostPort(cmp.Or(config.store.AdvertiseAddr, config.store.ListenAddr))
		if err != nil {
			host = ""
		}
		config.store.HTTPAddress = scheme + reachable(listener.Addr(), host)
	}
	opening := server.Open(listener.(*net.TCPListener), config.server)
	p.node, err = raftstore.Open(ctx, config.store)
	p.wait.Go(opening.End())
	if err != nil {
		p.wait.Wait()
		return nil, err
	}
	s := server.New(p.node, config.server)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // close ends it, when it is its turn
	p.stop = stop
	p.serve(func() error { return s.Serve(serving, listener) })
	if p.web != nil {
		p.wait.Go(func() { p.web.Watch(serving, 10*time.Second, p.log, nil) })
	}
	if metrics != nil {
		p.serve(func() error { return s.ServeMetrics(serving, metrics) })
	}
	return p, nil
}

// reachable is host:port of a listener; where it listens on every address of the
// machine, host stands for them.
func reachable(address net.Addr, host string) string {
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() || host == "" {
		return address.String()
	}
	return net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

func (p *process) serve(listen func() error) {
	p.wait.Go(func() {
		if err := listen(); err != nil {
			p.failed <- err
		}
	})
}

// run waits until the context ends or a listener fails. SIGHUP has certificates
// read again meanwhile.
func (p *process) run(ctx context.Context) error {
	hangUp := make(chan os.Signal, 1)
	signal.Notify(hangUp, syscall.SIGHUP)
	defer signal.Stop(hangUp)
	for {
		select {
		case <-hangUp:
			p.node.ReloadCertificates()
			if p.web != nil {
				p.web.Renew(p.log)
			}
		case <-ctx.Done():
			return nil
		case err := <-p.failed:
			return err
		case <-p.node.Refused():
			return p.node.WaitReady(ctx)
		}
	}
}

// leave takes the node out of its cluster, so that it counts for no majority.
func (p *process) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := p.node.Leave(ctx)
	if errors.Is(err, raftstore.ErrLastMember) {
		return nil // it is the cluster
	}
	if err != nil {
		return fmt.Errorf("the node stops as a member, since it could not leave: %w", err)
	}
	return nil
}

// close lets requests finish, then closes the node.
func (p *process) close() error {
	p.stop()
	p.wait.Wait()
	return p.node.Close()
}
