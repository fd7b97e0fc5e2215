package server

import (
	"crypto/tls"
	"log/slog"
	"time"

	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// Config says how a server answers. The zero value is a sane server.
type Config struct {
	// Logger receives one line per request and what operators should know: no
	// bodies, no headers, no queries. nil discards.
	Logger *slog.Logger

	// RequestTimeout is the longest that one request may take. Past it the request
	// is an error. 0 is 30 s.
	RequestTimeout time.Duration

	// StreamTimeout is the longest that a request for a stream may take, as long as
	// its client reads on within RequestTimeout. 0 is one hour.
	StreamTimeout time.Duration

	// EvaluationNodes is the most distinct object#relation pairs that one question
	// may evaluate. Past it the question is an error. 0 is the engine's default.
	EvaluationNodes int

	// Requests is the most requests that are worked on at once; further ones are
	// answered with `overloaded`. 0 is 4,096.
	Requests int

	// LongRequests is the most requests that wait, after their first 0.1 ms, for
	// a core to go on with: all but one are theirs. Further ones are answered with
	// `overloaded`. 0 is 256.
	LongRequests int

	// BatchChecks is the most questions of one batch. 0 is 10,000.
	BatchChecks int

	// Compilations is the most schemas that are compiled at once; further ones wait.
	// 0 is 2.
	Compilations int

	// Connections is the most connections that are open at once; further ones wait
	// to be accepted. 0 is 16,384.
	Connections int

	// Watchers is the most streams of changes that are open at once; further ones are
	// answered with `overloaded`. They do not count as Requests. 0 is 2,048.
	Watchers int

	// Heartbeat is how long a stream of changes may be silent. 0 is 10 s.
	Heartbeat time.Duration

	// BodyBytes is the largest body of a request. 0 is 8 MiB.
	BodyBytes int64

	// HeaderBytes is the largest head of a request. 0 is 32 KiB.
	HeaderBytes int

	// TLS is what Serve speaks; nil: HTTP in the clear.
	TLS *tls.Config

	// Clock gives the instant of questions. nil is the node's (raftstore.Node.Now).
	Clock func() time.Time
}

const (
	defaultRequestTimeout = 30 * time.Second
	defaultStreamTimeout  = time.Hour
	defaultRequests       = 4096
	defaultLongRequests   = 256
	defaultBatchChecks    = 10_000
	defaultCompilations   = 2
	defaultConnections    = 16384
	defaultWatchers       = 2048
	defaultHeartbeat      = 10 * time.Second
	defaultBodyBytes      = 8 << 20
	defaultHeaderBytes    = 32 << 10
)

// withDefaults fills in what the zero values mean.
func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	orDefault(&c.RequestTimeout, defaultRequestTimeout)
	orDefault(&c.StreamTimeout, defaultStreamTimeout)
	orDefault(&c.Requests, defaultRequests)
	orDefault(&c.LongRequests, defaultLongRequests)
	orDefault(&c.BatchChecks, defaultBatchChecks)
	orDefault(&c.Compilations, defaultCompilations)
	orDefault(&c.Connections, defaultConnections)
	orDefault(&c.Watchers, defaultWatchers)
	orDefault(&c.Heartbeat, defaultHeartbeat)
	orDefault(&c.BodyBytes, defaultBodyBytes)
	orDefault(&c.HeaderBytes, defaultHeaderBytes)
	return c
}

func orDefault[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// limits are the bounds that GET /v1/limits shows.
func (c Config) apiLimits() api.Limits {
	return api.Limits{
		BodyBytes:          c.BodyBytes,
		JSONDepth:          64,
		BatchChecks:        c.BatchChecks,
		WriteOperations:    10_000,
		Preconditions:      100,
		ContextualTuples:   1000,
		PageEntries:        10_000,
		DefaultPageEntries: 1000,
		SchemaBytes:        2 << 20,
		SchemaFiles:        1000,
		IDBytes:            tuple.MaxIDBytes,
		NameBytes:          tuple.MaxNameBytes,
		ContextBytes:       tuple.MaxContextBytes,
		RequestContext:     condition.MaxRequestBytes,
		TreeNodes:          100_000,
		EvaluationNodes:    c.EvaluationNodes,
		RequestMillis:      c.RequestTimeout.Milliseconds(),
		StreamMillis:       c.StreamTimeout.Milliseconds(),
		HeaderBytes:        c.HeaderBytes,
		Connections:        c.Connections,
		Watchers:           c.Watchers,
		HeartbeatMillis:    c.Heartbeat.Milliseconds(),
	}
}
