package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/server/api"
)

const members = 3 // where nothing else is said

// node is one process, or the place where one runs.
type node struct {
	number int
	place  place
	client *client.Client // of this node alone, which never repeats a request
	log    *os.File

	mu      sync.Mutex // guards process
	process *exec.Cmd  // nil: it does not run
}

// place is where a node runs: what the machine must provide for it.
type place interface {
	http() string // host:port
	cluster() string
	dir() string
	// command runs a program there.
	command(name string, args ...string) *exec.Cmd
	close() error
}

// cluster is all nodes, and what may be done to them.
type cluster struct {
	nodes  []*node
	binary string
	net    *namespaces // nil on loopback

	logLevel string // of the nodes
}

// build compiles the product.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "pemba")
	text, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/pemba-authz/pemba/cmd/pemba").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build pemba: %w\n%s", err, text)
	}
	return binary, nil
}

// newCluster makes the places, starts the nodes one after the other and waits until all vote.
func newCluster(ctx context.Context, c Config, size int) (_ *cluster, err error) {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	k := &cluster{binary: c.Pemba, logLevel: "warn"}
	if c.TraceGaps > 0 {
		k.logLevel = "debug"
	}
	if k.binary == "" {
		if k.binary, err = build(ctx, c.Dir); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	if !c.Loopback {
		if k.net, err = newNamespaces(c.Dir); err != nil {
			return nil, err
		}
	}
	for i := range size {
		var p place = loopback{folder: filepath.Join(c.Dir, fmt.Sprint("node", i)), port: c.Port + 2*i}
		if k.net != nil {
			if p, err = k.net.place(i); err != nil {
				return nil, err
			}
		}
		n := &node{number: i, place: p}
		k.nodes = append(k.nodes, n)
		if n.client, err = client.New(client.Config{Addresses: []string{"http://" + p.http()}, Retries: -1, HTTPClient: &http.Client{Transport: newOnce()}}); err != nil {
			return nil, err
		}
		if n.log, err = os.Create(filepath.Join(c.Dir, fmt.Sprintf("node%d.log", i))); err != nil {
			return nil, err
		}
		if err = k.start(n); err != nil {
			return nil, err
		}
		if err = k.waitVoters(ctx, i+1); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// once sends a request no more than once. Go's transport repeats one by itself that
// carries an idempotency key, and then tells of the last attempt alone.
type once struct{ *http.Transport }

func newOnce() once {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 100
	return once{t}
}

func (o once) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.GetBody = nil
	return o.Transport.RoundTrip(r)
}

// waitVoters waits until every running node sees so many voters.
func (k *cluster) waitVoters(ctx context.Context, count int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, n := range k.nodes {
		for {
			seen, err := n.client.Cluster(ctx)
			voters := 0
			for _, m := range seen.Members {
				if m.Voter {
					voters++
				}
			}
			if err == nil && voters == count && seen.Ready {
				break
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("node %d sees %d of %d voters (%v): look at its log", n.number, voters, count, err)
			}
		}
	}
	return nil
}

// start starts a node's process.
func (k *cluster) start(n *node) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		return nil
	}
	args := []string{"serve", "--dir", n.place.dir(), "--http", n.place.http(), "--cluster", n.place.cluster(), "--insecure-cluster", "--log-level", k.logLevel}
	if n.number > 0 {
		args = append(args, "--join", k.nodes[0].place.cluster())
	}
	p := n.place.command(k.binary, args...)
	p.Stdout, p.Stderr = n.log, n.log
	if err := p.Start(); err != nil {
		return err
	}
	n.process = p
	return nil
}

// signal sends a signal to a node that runs.
func (n *node) signal(s syscall.Signal) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process != nil {
		n.process.Process.Signal(s)
	}
}

// kill ends a node's process at once.
func (n *node) kill() { n.end(syscall.SIGKILL) }

func (n *node) end(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return nil
	}
	p := n.process
	n.process = nil
	p.Process.Signal(s)
	if s == syscall.SIGKILL {
		p.Wait()
		return nil
	}
	hung := time.AfterFunc(30*time.Second, func() { p.Process.Kill() })
	defer hung.Stop()
	if err := p.Wait(); err != nil {
		return fmt.Errorf("node %d did not stop as it should: %w", n.number, err)
	}
	return nil
}

// leader returns the node that leads by its own account, or nil.
func (k *cluster) leader(ctx context.Context) *node {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	leads := make(chan *node, len(k.nodes))
	var asking sync.WaitGroup
	for _, n := range k.nodes {
		asking.Go(func() {
			if seen, err := n.client.Cluster(ctx); err == nil && seen.Role == "leader" {
				leads <- n
				cancel() // the others need not answer
			}
		})
	}
	asking.Wait()
	select {
	case n := <-leads:
		return n
	default:
		return nil
	}
}

// ready says whether all members serve, and so have the log as far as it is committed.
func (k *cluster) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	for _, n := range k.nodes {
		if seen, err := n.client.Cluster(ctx); err != nil || !seen.Ready {
			return false
		}
	}
	return true
}

// verify has the cluster compare what its members hold, and returns what differs.
func (k *cluster) verify(ctx context.Context) (api.VerifyResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		answer, err := k.nodes[0].client.VerifyCluster(ctx)
		if err == nil || ctx.Err() != nil {
			return answer, err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (k *cluster) close() error {
	var errs []error
	for _, n := range k.nodes {
		n.signal(syscall.SIGCONT)
		n.kill()
		if n.client != nil {
			n.client.Close()
		}
		if n.log != nil {
			errs = append(errs, n.log.Close())
		}
		errs = append(errs, n.place.close())
	}
	if k.net != nil {
		errs = append(errs, k.net.close())
	}
	return errors.Join(errs...)
}

// loopback is a place on this machine's own addresses.
type loopback struct {
	folder string
	port   int
}

func (l loopback) http() string    { return fmt.Sprintf("127.0.0.1:%d", l.port) }
func (l loopback) cluster() string { return fmt.Sprintf("127.0.0.1:%d", l.port+1) }
func (l loopback) dir() string     { return l.folder }
func (l loopback) close() error    { return nil }

func (l loopback) command(name string, args ...string) *exec.Cmd { return exec.Command(name, args...) }
