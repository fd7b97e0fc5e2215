package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server"
)

// process is a node with its server: what serve and dev run.
type process struct {
	node    *raftstore.Node
	url     string // of the HTTP surface
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
}

// start opens the ports, then the node, and serves until stop. The caller calls
// close once.
func start(ctx context.Context, config processConfig) (_ *process, err error) {
	listener, err := net.Listen("tcp", config.httpAddr)
	if err != nil {
		return nil, fmt.Errorf("the HTTP port: %w", err)
	}
	p := &process{url: reachable(listener.Addr(), "localhost"), failed: make(chan error, 2)}
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
		config.store.HTTPAddress = reachable(listener.Addr(), host)
	}
	if p.node, err = raftstore.Open(ctx, config.store); err != nil {
		return nil, err
	}
	s := server.New(p.node, config.server)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // close ends it, when it is its turn
	p.stop = stop
	p.serve(func() error { return s.Serve(serving, listener) })
	if metrics != nil {
		p.serve(func() error { return s.ServeMetrics(serving, metrics) })
	}
	return p, nil
}

// reachable is the URL of a listener; where it listens on every address of the
// machine, host stands for them.
func reachable(address net.Addr, host string) string {
	tcp, ok := address.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() || host == "" {
		return "http://" + address.String()
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
}

func (p *process) serve(listen func() error) {
	p.wait.Go(func() {
		if err := listen(); err != nil {
			p.failed <- err
		}
	})
}

// run waits until the context ends or a listener fails.
func (p *process) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-p.failed:
		return err
	}
}

// close lets requests finish, then closes the node.
func (p *process) close() error {
	p.stop()
	p.wait.Wait()
	return p.node.Close()
}
