// Package target speaks to the servers that a load can be sent to: Pemba,
// OpenFGA and SpiceDB, each over HTTP, and a server whose answer is a constant.
//
// Call New with a Protocol, then Load, and hand what Checks and the others return
// to load.Run. Every answer is compared with the dataset's.
package target

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Target is what a load is sent to. An operation that it does not have is an
// error that wraps errors.ErrUnsupported.
type Target interface {
	Name() string

	// Load writes schema and tuples, and tells how many have been written so far.
	Load(ctx context.Context, d dataset.Dataset, progress func(tuples int)) error

	// Checks asks one question per request.
	Checks(questions []dataset.Question) (load.Operation, error)

	// Batches asks so many questions per request.
	Batches(questions []dataset.Question, items int) (load.Operation, error)

	// Objects asks for lists of objects: whole, or the first limit entries.
	Objects(lists []dataset.ObjectList, limit int) (load.Operation, error)

	// Subjects asks for lists of subjects, whole.
	Subjects(lists []dataset.SubjectList) (load.Operation, error)

	// Writes writes so many new tuples per request.
	Writes(d dataset.Full, tuples int) (load.Operation, error)

	// Mixed checks and, for a share of requests, writes what must be seen whole.
	Mixed(d dataset.Full, questions []dataset.Question, writes float64) (load.Operation, error)

	Close() error
}

// Protocol is the dialect of a server: bodies of requests, and what answers say.
type Protocol interface {
	Name() string

	// Begin makes a store with the schema and remembers where it is.
	Begin(ctx context.Context, call Call, d dataset.Dataset) error

	// Settle returns when the node that is called has all that was written.
	Settle(call Call) error

	// MostTuples is how many tuples one write may hold.
	MostTuples() int

	Check(q dataset.Question) (Request, error)
	Checked(body []byte) (allowed bool, err error)

	Batch(questions []dataset.Question) (Request, error)
	// Batched appends the answers in the order of the questions.
	Batched(body []byte, answers []bool) ([]bool, error)

	Objects(l dataset.ObjectList, limit int) (Request, error)
	// ObjectsFound hands over each id as it stands in the body.
	ObjectsFound(body []byte, each func(id []byte)) error

	Subjects(l dataset.SubjectList) (Request, error)
	SubjectsFound(body []byte, each func(id []byte)) error

	Write(touched, deleted []tuple.Tuple) (Request, error)
}

// Request is a path below the server's URL and a body.
type Request struct {
	Method string // POST where it is empty
	Path   string
	Body   []byte
	Accept string // the media type wanted; application/json where it is empty
}

// Call sends one request and returns the body of an answer with a status below 300.
type Call func(r Request) (body []byte, err error)

// HTTP is a server, or the nodes of a cluster, at URLs.
type HTTP struct {
	protocol  Protocol
	addresses []*url.URL
	access    Access
}

// Access is what a server wants to know of its client.
type Access struct {
	Token string      // for Authorization: Bearer; "" sends none
	TLS   *tls.Config // under https; nil trusts whom the system trusts
}

// New returns a server that is spoken to in a protocol. Where it has several
// addresses, with commas between, the clients take turns. An address without a
// scheme is https where access has a TLS, else http.
func New(p Protocol, addresses string, access Access) (*HTTP, error) {
	h := &HTTP{protocol: p, access: access}
	scheme, ports := "http://", map[string]string{"http": ":80", "https": ":443"}
	if access.TLS != nil {
		scheme = "https://"
	}
	for address := range strings.SplitSeq(addresses, ",") {
		address = strings.TrimSpace(address)
		if !strings.Contains(address, "://") {
			address = scheme + address
		}
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || ports[u.Scheme] == "" {
			return nil, fmt.Errorf("%q is no URL of a server: http://host:port is", address)
		}
		if u.Port() == "" {
			u.Host += ports[u.Scheme]
		}
		u.Path = strings.TrimSuffix(u.Path, "/")
		h.addresses = append(h.addresses, u)
	}
	return h, nil
}

// Name returns the protocol's name.
func (h *HTTP) Name() string { return h.protocol.Name() }

// Close does nothing: each operation's clients close their connections.
func (h *HTTP) Close() error { return nil }

// loaders is how many connections load tuples side by side.
const loaders = 4

// Load makes a store and writes the tuples over a few connections, as many tuples
// per request as the server takes.
func (h *HTTP) Load(ctx context.Context, d dataset.Dataset, progress func(tuples int)) error {
	if err := h.call(ctx, 0, func(call Call) error { return h.protocol.Begin(ctx, call, d) }); err != nil {
		return err
	}
	if err := h.write(ctx, d, progress); err != nil {
		return err
	}
	for i := range h.addresses {
		if err := h.call(ctx, i, h.protocol.Settle); err != nil {
			return err
		}
	}
	return nil
}

// call lends a connection to one of the addresses.
func (h *HTTP) call(ctx context.Context, address int, do func(Call) error) error {
	c, err := h.dial(address)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := do(func(r Request) ([]byte, error) { return c.do(ctx, h.encode(r)) }); err != nil {
		return fmt.Errorf("%s: %w", h.Name(), err)
	}
	return nil
}

func (h *HTTP) write(ctx context.Context, d dataset.Dataset, progress func(tuples int)) error {
	group, ctx := errgroup.WithContext(ctx)
	chunks, written := make(chan []tuple.Tuple), make(chan int)
	group.Go(func() error {
		defer close(chunks)
		return chunked(ctx, d.Tuples(), h.protocol.MostTuples(), chunks)
	})
	for i := range loaders {
		group.Go(func() error { return h.loadChunks(ctx, i, chunks, written) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		sum := 0
		for n := range written {
			sum += n
			progress(sum)
		}
	}()
	err := group.Wait()
	close(written)
	<-done
	return err
}

func chunked(ctx context.Context, tuples iter.Seq[tuple.Tuple], size int, into chan<- []tuple.Tuple) error {
	chunk := make([]tuple.Tuple, 0, size)
	send := func() error {
		select {
		case into <- chunk:
			chunk = make([]tuple.Tuple, 0, size)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for t := range tuples {
		if chunk = append(chunk, t); len(chunk) == size {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if len(chunk) == 0 {
		return nil
	}
	return send()
}

func (h *HTTP) loadChunks(ctx context.Context, i int, chunks <-chan []tuple.Tuple, written chan<- int) error {
	c, err := h.dial(i)
	if err != nil {
		return err
	}
	defer c.Close()
	for chunk := range chunks {
		r, err := h.protocol.Write(chunk, nil)
		if err != nil {
			return err
		}
		if _, err := c.do(ctx, h.encode(r)); err != nil {
			return fmt.Errorf("%s: writing tuples: %w", h.Name(), err)
		}
		written <- len(chunk)
	}
	return nil
}

// unsupported says that a server has no such operation.
func unsupported(what string) error { return fmt.Errorf("%s: %w", what, errors.ErrUnsupported) }
