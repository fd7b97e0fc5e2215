package target

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"slices"
	"strconv"
	"time"
)

// conn is one connection that is kept alive. It speaks as much HTTP/1.1 as a load
// generator needs: requests are bytes that were put together before, of an answer
// the status, the length and the body are read. A request costs about 2 µs here
// beside the system calls, where net/http's client costs about 30.
type conn struct {
	net.Conn
	r    *bufio.Reader
	body []byte
	ctx  context.Context // whose end cuts the connection off
	stop func() bool
}

// dialTimeout bounds how long a server may take to accept a connection.
const dialTimeout = 5 * time.Second

// dial connects the i-th client to its address.
func (h *HTTP) dial(i int) (*conn, error) {
	u := h.addresses[i%len(h.addresses)]
	dialer := &net.Dialer{Timeout: dialTimeout}
	var c net.Conn
	var err error
	if u.Scheme == "https" {
		c, err = tls.DialWithDialer(dialer, "tcp", u.Host, h.access.TLS)
	} else {
		c, err = dialer.Dial("tcp", u.Host)
	}
	if err != nil {
		return nil, fmt.Errorf("no %s server answers at %s: %w", h.Name(), u.Host, err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10), stop: func() bool { return true }}, nil
}

// Close closes the connection.
func (c *conn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// encode puts a request together.
func (h *HTTP) encode(r Request) []byte {
	var b bytes.Buffer
	if r.Method == "" {
		r.Method = "POST"
	}
	if r.Accept == "" {
		r.Accept = "application/json"
	}
	fmt.Fprintf(&b, "%s %s%s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		r.Method, h.addresses[0].Path, r.Path, h.addresses[0].Host, r.Accept, len(r.Body))
	if h.access.Token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", h.access.Token)
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// StatusError is an answer with a status of 300 or more.
type StatusError struct {
	Status int
	Body   string
}

// Error returns the status and what the body says.
func (e *StatusError) Error() string {
	const most = 300
	text := e.Body
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Sprintf("status %d: %s", e.Status, text)
}

// do sends a request and returns the answer's body, which is good until the next.
func (c *conn) do(ctx context.Context, request []byte) ([]byte, error) {
	if ctx != c.ctx {
		c.stop()
		c.ctx, c.stop = ctx, context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	// HTTP/1.1 200 OK
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return nil, fmt.Errorf("the server does not speak HTTP/1.1: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return nil, fmt.Errorf("the server does not speak HTTP/1.1: %q", line)
	}
	if err := c.readBody(); err != nil {
		return nil, err
	}
	if status >= 300 {
		return nil, &StatusError{status, string(c.body)}
	}
	return c.body, nil
}

// readBody reads the rest of the head, and the body.
func (c *conn) readBody() error {
	length, chunked := -1, false
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return fmt.Errorf("the server's Content-Length is %q", value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	c.body = c.body[:0]
	switch {
	case chunked:
		return c.readChunks()
	case length >= 0:
		c.body = slices.Grow(c.body, length)[:length]
		_, err := io.ReadFull(c.r, c.body)
		return err
	}
	return errors.New("the server's answer has no length, and the connection cannot be kept")
}

func (c *conn) readChunks() error {
	b := bytes.NewBuffer(c.body)
	_, err := b.ReadFrom(httputil.NewChunkedReader(c.r))
	c.body = b.Bytes()
	if err != nil {
		return err
	}
	for { // the chunks' trailer, up to an empty line
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return err
		}
	}
}

// line reads a line of the head; it is good until the next read.
func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}
