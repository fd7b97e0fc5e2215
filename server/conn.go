package server

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

// lazyConn is a connection whose deadlines cost nothing until they matter.
// net/http sets about eight per request, which together cost a fifth of the
// request, and hardly one is ever met. So a deadline is noted, and the system's
// stays as it is while it is earlier: when that one passes, the operation goes on
// under the one that is wanted. It ends when the wanted one has passed, as with
// any connection.
type lazyConn struct {
	net.Conn
	reading, writing lazyDeadline
}

func newLazyConn(conn net.Conn) *lazyConn {
	c := &lazyConn{Conn: conn}
	c.reading.arm, c.writing.arm = conn.SetReadDeadline, conn.SetWriteDeadline
	return c
}

// lazyDeadline is the deadline of one direction.
type lazyDeadline struct {
	arm func(time.Time) error // sets the system's

	mu     sync.Mutex // guards what follows
	wanted time.Time  // zero: none
	armed  time.Time  // the system's; zero: none
	busy   int        // operations under way
}

// set notes a deadline. Operations that are under way heed it at once.
func (d *lazyDeadline) set(t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = t
	if d.busy > 0 {
		return d.heed()
	}
	return nil
}

// heed makes the system's deadline no later than the wanted one. The caller
// holds mu.
func (d *lazyDeadline) heed() error {
	if d.wanted.IsZero() || !d.armed.IsZero() && !d.armed.After(d.wanted) {
		return nil
	}
	d.armed = d.wanted
	return d.arm(d.wanted)
}

// aborted is before every deadline that is a time to come: net/http sets such a
// one to end an operation.
var aborted = time.Unix(1000, 0)

// begin starts an operation.
func (d *lazyDeadline) begin() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted.IsZero() && d.wanted.Before(aborted) {
		return os.ErrDeadlineExceeded
	}
	if err := d.heed(); err != nil {
		return err
	}
	d.busy++
	return nil
}

// end says whether an operation that failed is to go on.
func (d *lazyDeadline) end(err error) (again bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !d.wanted.IsZero() && !d.wanted.After(time.Now()) {
		return false
	}
	d.armed = d.wanted
	return d.arm(d.wanted) == nil
}

// Read is net.Conn's.
func (c *lazyConn) Read(b []byte) (n int, err error) {
	for again := true; again && n == 0; {
		if err := c.reading.begin(); err != nil {
			return 0, err
		}
		n, err = c.Conn.Read(b)
		again = c.reading.end(err)
	}
	return n, err
}

// Write is net.Conn's.
func (c *lazyConn) Write(b []byte) (n int, err error) {
	for again := true; again; {
		if err := c.writing.begin(); err != nil {
			return n, err
		}
		var wrote int
		wrote, err = c.Conn.Write(b[n:])
		n += wrote
		again = c.writing.end(err)
	}
	return n, err
}

// SetReadDeadline is net.Conn's.
func (c *lazyConn) SetReadDeadline(t time.Time) error { return c.reading.set(t) }

// SetWriteDeadline is net.Conn's.
func (c *lazyConn) SetWriteDeadline(t time.Time) error { return c.writing.set(t) }

// SetDeadline is net.Conn's.
func (c *lazyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.reading.set(t), c.writing.set(t))
}
