package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// call is one request to the server, in a form that can be sent again.
type call struct {
	method string
	path   string // from /v1 or /healthz on, escaped
	header http.Header
	body   any // sent as JSON; nil: no body
	accept string
	// safe says that a repetition does no harm: the request asks only, or it is
	// idempotent, or it carries an idempotency key. Others are repeated only when
	// nothing was sent.
	safe bool
	sent *int // counts how often it was sent; nil: nobody asks
}

// StatusError is an answer that no Pemba server gave: a proxy's, for example.
type StatusError struct {
	Status int
	Body   string // its beginning
}

// Error returns the status with the beginning of the body.
func (e *StatusError) Error() string {
	return fmt.Sprintf("the server answered %d %s without a problem document: %s", e.Status, http.StatusText(e.Status), e.Body)
}

// Errors of an address whose scheme is not the server's. Nothing was done.
var (
	ErrWantsTLS = errors.New("the server speaks TLS on this port: its address begins with https://")
	ErrNoTLS    = errors.New("the server does not speak TLS on this port: its address begins with http://")
)

func newTransport(config *tls.Config) *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, 512 // as many as an application asks with at once
	t.DisableCompression = true                    // answers are not compressed
	if config != nil {
		t.TLSClientConfig = config.Clone()
	}
	return t
}

// do sends a call and decodes its JSON answer into out.
func (c *Client) do(ctx context.Context, k call, out any) error {
	response, err := c.open(ctx, k)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := readAll(response)
	if err == nil {
		err = decode(text, out)
	}
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", k.method, k.path, cause(ctx, err))
	}
	return nil
}

// readAll reads a body whose length is mostly known.
func readAll(response *http.Response) ([]byte, error) {
	var text bytes.Buffer
	text.Grow(int(min(max(response.ContentLength, 0), 1<<20)) + bytes.MinRead)
	_, err := text.ReadFrom(response.Body)
	return text.Bytes(), err
}

// decode reads an answer: those of checks by hand where they are plain, which
// costs a tenth.
func decode(text []byte, out any) error {
	switch out := out.(type) {
	case *api.CheckResponse:
		if read, plain := body.ReadCheckResponse(string(text)); plain {
			*out = read
			return nil
		}
	case *api.BatchResponse:
		if read, plain := body.ReadBatchResponse(string(text)); plain {
			*out = read
			return nil
		}
	}
	return json.Unmarshal(text, out)
}

// encode writes a request, like decode.
func encode(request any) ([]byte, error) {
	switch request := request.(type) {
	case *api.CheckRequest:
		if text, plain := body.AppendCheck(make([]byte, 0, 256), request); plain {
			return text, nil
		}
	case *api.BatchRequest:
		if text, plain := body.AppendBatch(make([]byte, 0, 64+128*len(request.Checks)), request); plain {
			return text, nil
		}
	}
	return json.Marshal(request)
}

// open sends a call until it is answered well, its repetitions are used up, or
// a repetition could do harm. The caller closes the body.
func (c *Client) open(ctx context.Context, k call) (*http.Response, error) {
	var text []byte
	if k.body != nil {
		var err error
		if text, err = encode(k.body); err != nil {
			return nil, fmt.Errorf("writing the request %s %s: %w", k.method, k.path, err)
		}
	}
	wait := c.backoff
	for attempt := 0; ; attempt++ {
		current := c.current.Load()
		if k.sent != nil {
			*k.sent++
		}
		response, err := c.send(ctx, c.addresses[current%uint64(len(c.addresses))], k, text)
		if err == nil {
			return response, nil
		}
		if ctx.Err() != nil || attempt >= c.retries || !repeatable(err, k.safe) {
			return nil, err
		}
		c.current.CompareAndSwap(current, current+1)
		if err := sleep(ctx, wait/2+rand.N(wait/2+1)); err != nil {
			return nil, err
		}
		wait = min(2*wait, longestBackoff)
	}
}

func (c *Client) send(ctx context.Context, address string, k call, text []byte) (*http.Response, error) {
	var reader io.Reader
	if text != nil {
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, k.method, address+k.path, reader)
	if err != nil {
		return nil, err
	}
	for name, values := range k.header {
		request.Header[name] = values
	}
	if text != nil {
		request.Header.Set("Content-Type", api.JSON)
	}
	accept := k.accept
	if accept == "" {
		accept = api.JSON
	}
	request.Header.Set("Accept", accept)
	request.Header.Set("User-Agent", c.agent)
	response, err := c.http.Do(request)
	if err != nil {
		if errors.Is(err, http.ErrSchemeMismatch) {
			err = fmt.Errorf("%w (%s)", ErrNoTLS, address)
		}
		return nil, cause(ctx, err)
	}
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	err = failure(response)
	var status *StatusError
	if errors.As(err, &status) && status.Status == http.StatusBadRequest && strings.HasPrefix(status.Body, "Client sent an HTTP request to an HTTPS server") {
		err = fmt.Errorf("%w (%s)", ErrWantsTLS, address) // so says Go's server, before any handler
	}
	return nil, err
}

// failure reads what the server says went wrong.
func failure(response *http.Response) error {
	const most = 8 << 20 // a schema with thousands of faults stays below
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return fmt.Errorf("reading the problem of a %d: %w", response.StatusCode, err)
	}
	media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	var problem api.Problem
	if media == api.ProblemJSON && json.Unmarshal(text, &problem) == nil && problem.Code != "" {
		return &problem
	}
	return &StatusError{Status: response.StatusCode, Body: strings.ToValidUTF8(string(text[:min(len(text), 300)]), "")}
}

// repeatable says whether sending the same again can only help.
func repeatable(err error, safe bool) bool {
	if problem := api.AsProblem(err); problem != nil {
		// The server says so itself, and for a safe request an unknown outcome is
		// settled by asking again.
		return problem.Retry || safe && problem.Code == api.OutcomeUnknown
	}
	var status *StatusError
	if errors.As(err, &status) {
		return safe && status.Status >= 502 && status.Status <= 504
	}
	var untrusted *tls.CertificateVerificationError
	if errors.Is(err, ErrNoTLS) || errors.Is(err, ErrWantsTLS) || errors.As(err, &untrusted) {
		return false // nothing was done, and the next time it is the same
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return true // nothing was sent
	}
	if errors.As(err, &dial) && dial.Op == "remote error" {
		return false // the server refused the handshake, for want of a certificate mostly
	}
	return safe
}

// cause prefers the context's error, which says why the transport gave up.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
