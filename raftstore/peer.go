package raftstore

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// A frame on a peer connection is: length of the rest (32 bits), number of the
// request (64 bits), a byte, payload. The byte is the method in a request, whose
// payload begins with the milliseconds that the caller waits (32 bits), and 1 in
// an answer that is an error. Answers come in any order.
const (
	maxFrame     = maxCommandBytes + 4096
	frameHeader  = 4 + 8 + 1
	peerRequests = 256 // that one connection has under way
)

// method says what a peer asks for.
type method byte

const (
	methodPropose   method = 1 + iota // an entry of one command; answers its result
	methodReadIndex                   // answers a revision
	methodLastIndex                   // answers the last index of this node's log
	methodJoin                        // joinRequest; answers joinAnswer
	methodRemove                      // a member's id
	methodSummary                     // summaryRequest; answers summaryAnswer
	methodFetch                       // fetchRequest; answers a piece of this node's state
	methodClock                       // answers the time of this node's machine
	methodHeir                        // the leader's id; answers where this node's log ends, if it finds the leader gone
)

// Methods about membership.
const (
	methodStanding method = 32 + iota // a node's id; answers its standing
	methodPing                        // answers the revision that the member has applied
	methodChange                      // memberChange
)

func writeFrame(w io.Writer, id uint64, kind byte, payload []byte) error {
	frame := make([]byte, frameHeader, frameHeader+len(payload))
	binary.BigEndian.PutUint32(frame, uint32(8+1+len(payload)))
	binary.BigEndian.PutUint64(frame[4:], id)
	frame[12] = kind
	_, err := w.Write(append(frame, payload...))
	return err
}

func readFrame(r io.Reader) (id uint64, kind byte, payload []byte, err error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return 0, 0, nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < 9 || length-9 > maxFrame {
		return 0, 0, nil, fmt.Errorf("a frame of %d bytes", length)
	}
	payload, err = io.ReadAll(io.LimitReader(r, int64(length-9))) // grows as the bytes arrive
	if err == nil && len(payload) != int(length-9) {
		err = io.ErrUnexpectedEOF
	}
	return binary.BigEndian.Uint64(header[4:]), header[12], payload, err
}

// peerHandler answers a peer's request. It runs on a goroutine of its own.
type peerHandler func(ctx context.Context, m method, payload []byte) ([]byte, error)

// servePeer answers the requests of one connection until it ends.
func servePeer(ctx context.Context, conn net.Conn, handle peerHandler) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	var writing sync.Mutex // guards the connection's writing half
	slots := make(chan struct{}, peerRequests)
	in := bufio.NewReader(conn)
	for {
		id, kind, payload, err := readFrame(in)
		if err != nil || len(payload) < 4 {
			return
		}
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			wait := time.Duration(binary.BigEndian.Uint32(payload)) * time.Millisecond
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			answer, err := handle(ctx, method(kind), payload[4:])
			failed := byte(0)
			if err != nil {
				failed, answer = 1, encodeError(err)
			}
			writing.Lock()
			defer writing.Unlock()
			conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if writeFrame(conn, id, failed, answer) != nil {
				conn.Close()
			}
		})
	}
}

// errUnsent wraps every error of a call whose request did not reach the peer whole.
var errUnsent = errors.New("the member could not be reached")

// errUnanswered wraps every error of a call whose request may have been carried out.
var errUnanswered = errors.New("the member did not answer")

// peers calls other members, over one connection each.
type peers struct {
	dial func(ctx context.Context, address string) (net.Conn, error)

	work     sync.WaitGroup // the readers of all connections
	mu       sync.Mutex     // guards what follows
	links    map[string]*link
	dialling map[string]*dialling
	closed   bool
}

func newPeers(dial func(context.Context, string) (net.Conn, error)) *peers {
	return &peers{dial: dial, links: map[string]*link{}, dialling: map[string]*dialling{}}
}

// dialling is an attempt to reach a member, which everybody who wants it awaits.
type dialling struct {
	done chan struct{} // closed at the end
	err  error         // nil also where the one who dialled ran out of time: another may have more
}

// link is a connection to one member.
type link struct {
	conn    net.Conn
	writing sync.Mutex // guards the connection's writing half

	mu      sync.Mutex // guards what follows
	next    uint64
	waiting map[uint64]chan<- reply
	err     error // why the link is gone
}

type reply struct {
	payload []byte
	err     error
}

// call asks a member. The error wraps errUnsent, errUnanswered, or is the one
// that the member's handler returned, as far as encodeError knows it.
func (p *peers) call(ctx context.Context, address string, m method, payload []byte) ([]byte, error) {
	l, err := p.link(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	answered := make(chan reply, 1)
	id, err := l.expect(answered)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	if err := l.send(ctx, id, m, payload); err != nil {
		p.drop(address, l, err)
		return nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	select {
	case r := <-answered:
		return r.payload, r.err
	case <-ctx.Done():
		l.forget(id)
		return nil, fmt.Errorf("%w: %w", errUnanswered, ctx.Err())
	}
}

// link returns the connection to a member, dialling where there is none.
func (p *peers) link(ctx context.Context, address string) (*link, error) {
	for {
		p.mu.Lock()
		l, d := p.links[address], p.dialling[address]
		if l == nil && d == nil {
			d = &dialling{done: make(chan struct{})}
			p.dialling[address] = d
			p.mu.Unlock()
			return p.connect(ctx, address, d)
		}
		p.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// connect dials for all who wait.
func (p *peers) connect(ctx context.Context, address string, d *dialling) (*link, error) {
	defer close(d.done)
	conn, err := p.dial(ctx, address)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.dialling, address)
	if err == nil && p.closed {
		err = errors.Join(ErrClosed, conn.Close())
	}
	if err != nil {
		if ctx.Err() == nil {
			d.err = err
		}
		return nil, err
	}
	l := &link{conn: conn, waiting: map[uint64]chan<- reply{}}
	p.links[address] = l
	p.work.Go(func() { p.drop(address, l, l.read()) })
	return l, nil
}

// drop closes a link and fails everything that waits on it.
func (p *peers) drop(address string, l *link, cause error) {
	p.mu.Lock()
	if p.links[address] == l {
		delete(p.links, address)
	}
	p.mu.Unlock()
	l.conn.Close()
	l.fail(cause)
}

// Close ends every connection and waits for their readers.
func (p *peers) Close() {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.links {
		l.conn.Close()
	}
	p.mu.Unlock()
	p.work.Wait()
}

func (l *link) expect(answered chan<- reply) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return 0, l.err
	}
	l.next++
	l.waiting[l.next] = answered
	return l.next, nil
}

func (l *link) forget(id uint64) {
	l.mu.Lock()
	delete(l.waiting, id)
	l.mu.Unlock()
}

// send writes the request. Where it fails the frame did not go out whole, so the
// member cannot have acted on it.
func (l *link) send(ctx context.Context, id uint64, m method, payload []byte) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(10 * time.Second)
	}
	wait := max(time.Until(deadline).Milliseconds(), 1)
	l.writing.Lock()
	defer l.writing.Unlock()
	l.conn.SetWriteDeadline(deadline)
	body := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(payload)), uint32(min(wait, 1<<31)))
	return writeFrame(l.conn, id, byte(m), append(body, payload...))
}

// read hands out answers until the connection ends.
func (l *link) read() error {
	in := bufio.NewReader(l.conn)
	for {
		id, failed, payload, err := readFrame(in)
		if err != nil {
			return err
		}
		l.mu.Lock()
		answered := l.waiting[id]
		delete(l.waiting, id)
		l.mu.Unlock()
		if answered == nil {
			continue // the caller gave up
		}
		r := reply{payload: payload}
		if failed != 0 {
			r = reply{err: decodeError(payload)}
		}
		answered <- r
	}
}

func (l *link) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("the connection ended: %w", cause)
	}
	for id, answered := range l.waiting {
		answered <- reply{err: fmt.Errorf("%w: %w", errUnanswered, l.err)}
		delete(l.waiting, id)
	}
}
