package raftstore_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// messages decides what becomes of Raft's messages: some are lost before they
// arrive, some after, some come twice, the second time late. TCP does none of that
// to a connection, but connections break and their requests are sent again.
type messages struct {
	mu     sync.Mutex // guards what follows
	random *rand.Rand
	lose   float64
	double float64
	slow   time.Duration // each takes up to so much longer

	deaf    atomic.Bool // no message with entries arrives; heartbeats do
	refuse  atomic.Bool // the receiver refuses entries now and then, as one does whose log cannot be written
	swallow atomic.Bool // nothing of a transfer of leadership arrives, and nothing is answered

	lost, doubled, broken, refused atomic.Int64
}

func newMessages(seed uint64) *messages { return &messages{random: rand.New(rand.NewPCG(seed, 2))} }

// set says how likely which fault is from now on.
func (m *messages) set(lose, double float64, slow time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lose, m.double, m.slow = lose, double, slow
}

// fate is what becomes of one message.
type fate struct {
	before, after, again bool
	late                 time.Duration // how much later it comes again
}

func (m *messages) draw() fate {
	m.mu.Lock()
	f := fate{before: m.random.Float64() < m.lose, after: m.random.Float64() < m.lose, again: m.random.Float64() < m.double,
		late: time.Duration(m.random.Int64N(int64(2 * time.Second)))}
	pause := time.Duration(0)
	if m.slow > 0 {
		pause = time.Duration(m.random.Int64N(int64(m.slow)))
	}
	m.mu.Unlock()
	if pause > 0 {
		time.Sleep(pause)
	}
	if f.before || f.after {
		m.lost.Add(1)
	}
	if f.again {
		m.doubled.Add(1)
	}
	return f
}

var errLost = errors.New("the test lost the message")

// wrap stands between a node's Raft and its transport.
func (m *messages) wrap(inner raft.Transport) raft.Transport {
	f := &faultyTransport{Transport: inner, messages: m, closed: make(chan struct{}), incoming: make(chan raft.RPC)}
	f.late.Go(f.receive)
	return f
}

type faultyTransport struct {
	raft.Transport
	messages *messages
	incoming chan raft.RPC
	late     sync.WaitGroup // messages that come again
	once     sync.Once
	closed   chan struct{}
}

func (f *faultyTransport) Close() error {
	f.once.Do(func() { close(f.closed) })
	err := f.Transport.(raft.WithClose).Close()
	f.late.Wait()
	return err
}

func (f *faultyTransport) Consumer() <-chan raft.RPC { return f.incoming }

// receive hands on what comes in, and refuses some of it.
func (f *faultyTransport) receive() {
	for {
		select {
		case rpc := <-f.Transport.Consumer():
			if entries, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && len(entries.Entries) > 0 && f.messages.refuses() {
				rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: entries.RPCHeader, Term: entries.Term, LastLog: entries.PrevLogEntry}, nil)
				continue
			}
			select {
			case f.incoming <- rpc:
			case <-f.closed:
				return
			}
		case <-f.closed:
			return
		}
	}
}

func (m *messages) refuses() bool {
	if !m.refuse.Load() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.random.IntN(5) > 0 {
		return false
	}
	m.refused.Add(1)
	return true
}

// send sends a message as its fate has it. again sends it once more, its answer to nobody.
func (f *faultyTransport) send(once func() error, again func()) error {
	fate := f.messages.draw()
	if fate.before {
		return errLost
	}
	if fate.again {
		f.late.Go(func() {
			select {
			case <-time.After(fate.late):
				again()
			case <-f.closed:
			}
		})
	}
	if err := once(); err != nil {
		return err
	}
	if fate.after {
		return errLost
	}
	return nil
}

func (f *faultyTransport) AppendEntries(id raft.ServerID, to raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	if len(args.Entries) > 0 && f.messages.deaf.Load() {
		return errLost
	}
	return f.send(
		func() error { return f.Transport.AppendEntries(id, to, args, resp) },
		func() { f.Transport.AppendEntries(id, to, args, new(raft.AppendEntriesResponse)) })
}

func (f *faultyTransport) RequestVote(id raft.ServerID, to raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return f.send(
		func() error { return f.Transport.RequestVote(id, to, args, resp) },
		func() { f.Transport.RequestVote(id, to, args, new(raft.RequestVoteResponse)) })
}

func (f *faultyTransport) RequestPreVote(id raft.ServerID, to raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	pre := f.Transport.(raft.WithPreVote)
	return f.send(
		func() error { return pre.RequestPreVote(id, to, args, resp) },
		func() { pre.RequestPreVote(id, to, args, new(raft.RequestPreVoteResponse)) })
}

func (f *faultyTransport) TimeoutNow(id raft.ServerID, to raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	if f.messages.swallow.Load() {
		<-f.closed
		return errLost
	}
	return f.send(
		func() error { return f.Transport.TimeoutNow(id, to, args, resp) },
		func() { f.Transport.TimeoutNow(id, to, args, new(raft.TimeoutNowResponse)) })
}

// InstallSnapshot breaks off in the middle where its message is to be lost.
func (f *faultyTransport) InstallSnapshot(id raft.ServerID, to raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if fate := f.messages.draw(); fate.before || fate.after {
		f.messages.broken.Add(1)
		data = io.MultiReader(io.LimitReader(data, args.Size/2), brokenReader{})
	}
	return f.Transport.InstallSnapshot(id, to, args, resp, data)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errLost }

func (f *faultyTransport) AppendEntriesPipeline(id raft.ServerID, to raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := f.Transport.AppendEntriesPipeline(id, to)
	if err != nil {
		return nil, err
	}
	return &faultyPipeline{AppendPipeline: p, transport: f, again: func(args *raft.AppendEntriesRequest) {
		f.Transport.AppendEntries(id, to, args, new(raft.AppendEntriesResponse))
	}}, nil
}

// faultyPipeline ends where a message is lost, as one over TCP does.
type faultyPipeline struct {
	raft.AppendPipeline
	transport *faultyTransport
	again     func(*raft.AppendEntriesRequest)
}

func (p *faultyPipeline) AppendEntries(args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) (future raft.AppendFuture, err error) {
	err = p.transport.send(
		func() error {
			future, err = p.AppendPipeline.AppendEntries(args, resp)
			return err
		},
		func() { p.again(args) })
	return future, err
}
