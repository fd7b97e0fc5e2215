// Package client speaks to a Pemba server. Call New first, then Client.Store,
// then ask:
//
//	c, err := client.New(client.Config{Addresses: []string{"http://127.0.0.1:8420"}})
//	store := c.Store("acme")
//	answer, err := store.Check(ctx, api.CheckRequest{Question: api.Question{
//		Object: "document:readme", Permission: "view", Subject: "user:ana"}})
//
// Errors that the server answered are *api.Problem, and errors.Is(err,
// api.UnknownStore) tells their codes apart. An error is never an answer: where
// a method returns one, what else it returns is its zero value, and that denies.
//
// The package imports the wire types alone; an application that uses it
// compiles neither the storage nor the consensus of a server.
package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Config says where the servers are and how patient the client is.
type Config struct {
	// Addresses are the base URLs of the servers of one cluster, at least one:
	// http://127.0.0.1:8420. Any of them takes any request; the client stays with
	// one until it fails.
	Addresses []string

	// TLS says whom to trust under https addresses, and which certificate to show.
	// Nil trusts the system's authorities. It counts where HTTPClient is nil.
	TLS *tls.Config

	// HTTPClient sends the requests. Nil is a client of its own that keeps
	// connections and waits at most 10 s for a connection; deadlines of requests
	// come from their contexts.
	HTTPClient *http.Client

	// Retries is how often a request is repeated at most after it failed in a
	// way that a repetition cannot make worse. 0 is 4; -1 is never.
	Retries int

	// Backoff is the wait before the first repetition; it doubles up to 2 s, and
	// half of it is random. 0 is 50 ms.
	Backoff time.Duration

	// WatchPatience is how long a watch tries to go on while no server answers. 0 is
	// one minute.
	WatchPatience time.Duration

	// UserAgent is sent with every request. Empty is "pemba-go".
	UserAgent string
}

const (
	defaultRetries = 4
	defaultBackoff = 50 * time.Millisecond
	longestBackoff = 2 * time.Second
	watchPatience  = time.Minute
)

// Client speaks to one cluster. It may be used by many goroutines at once.
type Client struct {
	addresses []string
	http      *http.Client
	retries   int
	backoff   time.Duration
	patience  time.Duration // of a watch
	agent     string
	seen      atomic.Pointer[tuple.Token] // of the last write, whichever store it was in
	current   atomic.Uint64               // modulo len(addresses): the address that is used
}

// New checks the configuration; it opens no connection.
func New(config Config) (*Client, error) {
	if len(config.Addresses) == 0 {
		return nil, errors.New("client: no address: Config.Addresses holds the base URLs of the servers, like http://127.0.0.1:8420")
	}
	c := &Client{http: config.HTTPClient, retries: config.Retries, backoff: config.Backoff, patience: config.WatchPatience, agent: config.UserAgent}
	for _, address := range config.Addresses {
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("client: address %q: %w", address, err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("client: address %q is no base URL like http://127.0.0.1:8420", address)
		}
		c.addresses = append(c.addresses, strings.TrimRight(address, "/"))
	}
	if c.http == nil {
		c.http = &http.Client{Transport: newTransport(config.TLS)}
	}
	if c.retries == 0 {
		c.retries = defaultRetries
	}
	if c.backoff == 0 {
		c.backoff = defaultBackoff
	}
	if c.patience == 0 {
		c.patience = watchPatience
	}
	if c.agent == "" {
		c.agent = "pemba-go"
	}
	return c, nil
}

// Store returns the store with a name, without asking whether it exists.
func (c *Client) Store(name string) *Store { return &Store{client: c, name: name} }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }
