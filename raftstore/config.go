package raftstore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// Config says how a node runs. The zero value with a Dir is a single node that
// listens on no port.
type Config struct {
	// Dir is the folder that holds everything of this node. It is created when it
	// is missing. Required.
	Dir string

	// NodeID names the node for all time. "" takes the id that Dir holds, or draws
	// a random one and keeps it there. An id that differs from Dir's is refused.
	NodeID string

	// ListenAddr is host:port of the cluster port, which other members reach (Raft
	// and forwarded requests). "" is a single node without a port.
	ListenAddr string

	// AdvertiseAddr is host:port at which other members reach the cluster port. ""
	// is the address that ListenAddr resolved to.
	AdvertiseAddr string

	// Join holds cluster ports of members. A node without state joins their cluster
	// by the first that answers; a node that is a member already ignores it. Empty:
	// a node without state starts a cluster of its own.
	Join []string

	// JoinToken is what a node without state shows the cluster that it joins, as
	// NewJoinToken made it. Members need none.
	JoinToken string

	// Replica lets the node join without a vote, and for good: it follows and answers
	// questions, and counts for no majority. It only matters when the node joins first.
	Replica bool

	// RemoveDeadAfter is how long a member may not answer the leader before it is
	// removed for good. 0 never removes one.
	RemoveDeadAfter time.Duration

	// MinVoters is how many members with a vote RemoveDeadAfter leaves at least. 0 is 3.
	MinVoters int

	// Certificates are this node's certificate and key, and whom it trusts: every
	// connection to and from the cluster port is mutual TLS then. They are read again
	// when their files change. The zero value is a port without TLS, which only
	// listens on loopback addresses.
	Certificates pki.Files

	// CertificateInterval is how often the files of Certificates are looked at. 0 is 10 s.
	CertificateInterval time.Duration

	// Insecure lets a cluster port without TLS listen on any address, and nodes join
	// without a token: whoever reaches it reads everything and changes everything.
	Insecure bool

	// HTTPAddress is the URL of this node's HTTP surface, told to the other members
	// for clients to find. "" tells none.
	HTTPAddress string

	// HistoryWindow is how long past revisions stay readable. 0 is
	// DefaultHistoryWindow.
	HistoryWindow time.Duration

	// CollectInterval is how often the leader looks for expired tuples and advances
	// the history's floor. 0 is DefaultCollectInterval; negative never does.
	CollectInterval time.Duration

	// ScrubInterval is how often the node reads all of its data again and compares
	// it with its checksums and counts. 0 is DefaultScrubInterval; negative never
	// does.
	ScrubInterval time.Duration

	// CompareInterval is how often the node compares what it has counted with the
	// other members. 0 is DefaultCompareInterval; negative never does.
	CompareInterval time.Duration

	// HeartbeatTimeout is how long a follower waits for the leader before it stands
	// for election. 0 is 400 ms.
	HeartbeatTimeout time.Duration

	// ElectionTimeout is how long a candidate waits for votes. 0 is HeartbeatTimeout.
	ElectionTimeout time.Duration

	// LeaseTimeout is how long a leader stays one without contact to a majority. 0
	// is half of HeartbeatTimeout. No read relies on it.
	LeaseTimeout time.Duration

	// MaxWait bounds the wait for a revision where the request's context does not
	// end it before. 0 is 10 s.
	MaxWait time.Duration

	// StallTimeout is how long one write to the log's disk may take before the node
	// calls itself unhealthy and gives up leadership. 0 is 10 s.
	StallTimeout time.Duration

	// SnapshotEntries is how many entries are applied between two snapshots. 0 is
	// 100,000. Snapshots copy nothing: they make durable what is applied.
	SnapshotEntries uint64

	// SnapshotInterval is how often SnapshotEntries is looked at. 0 is 30 s.
	SnapshotInterval time.Duration

	// TrailingBytes is how much of the log stays behind a snapshot, for followers
	// that lag. 0 is 1 GiB; negative: TrailingEntries alone.
	TrailingBytes int64

	// TrailingEntries is how many entries stay behind a snapshot at least, whatever
	// their size. 0 is 10,000.
	TrailingEntries uint64

	// MinFreeBytes is the free space of Dir's disk below which the node writes no
	// more: no writes as a leader, no part in Raft as a member. 0 is 256 MiB;
	// negative, and with NoSync: it does not look.
	MinFreeBytes int64

	// NoSync skips the fsync of the log: a power loss loses acknowledged writes and
	// can make replicas differ. For tests and throw-away stores alone.
	NoSync bool

	// Clock gives the leader's time that entries are stamped with. nil is time.Now.
	Clock func() time.Time

	// Logger receives what operators should know. nil discards.
	Logger *slog.Logger

	// What follows is the system's where it is nil or "". Tests set it.

	boot         string                              // the name of the system's boot
	freeSpace    func(string) (int64, error)         // of the disk of a folder
	firstFeature uint32                              // the feature level that a new cluster begins with; 0: this build's. Tests set it.
	network      network                             // that the cluster port is on
	transport    func(raft.Transport) raft.Transport // puts faults into Raft's messages
	storing      func()                              // is called before every append to the log: a disk that is slow, or hangs
}

// Defaults of Config.
const (
	DefaultHistoryWindow   = 24 * time.Hour
	DefaultCollectInterval = time.Minute
	DefaultScrubInterval   = 24 * time.Hour
	DefaultCompareInterval = time.Minute
	DefaultTrailingBytes   = 1 << 30
)

// withDefaults fills in what the zero values mean and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	if c.Dir == "" {
		return c, errors.New("raftstore: Config.Dir is required")
	}
	if len(c.Join) > 0 && c.ListenAddr == "" {
		return c, errors.New("raftstore: joining a cluster needs a cluster port: set Config.ListenAddr")
	}
	if c.JoinToken != "" {
		if _, err := ParseJoinToken(c.JoinToken); err != nil {
			return c, err
		}
	}
	if c.Certificates != (pki.Files{}) && (c.Certificates.Cert == "" || c.Certificates.Key == "" || c.Certificates.CA == "") {
		return c, errors.New("raftstore: Config.Certificates needs all three: Cert, Key and CA")
	}
	if c.AdvertiseAddr != "" {
		if _, _, err := net.SplitHostPort(c.AdvertiseAddr); err != nil {
			return c, fmt.Errorf("raftstore: Config.AdvertiseAddr: %w", err)
		}
	}
	orDefault(&c.HistoryWindow, DefaultHistoryWindow)
	orDefault(&c.CollectInterval, DefaultCollectInterval)
	orDefault(&c.ScrubInterval, DefaultScrubInterval)
	orDefault(&c.MinVoters, 3)
	orDefault(&c.firstFeature, uint32(command.FeatureLevel))
	orDefault(&c.CertificateInterval, 10*time.Second)
	orDefault(&c.CompareInterval, DefaultCompareInterval)
	orDefault(&c.HeartbeatTimeout, 400*time.Millisecond)
	orDefault(&c.ElectionTimeout, c.HeartbeatTimeout)
	orDefault(&c.LeaseTimeout, c.HeartbeatTimeout/2)
	orDefault(&c.MaxWait, 10*time.Second)
	orDefault(&c.StallTimeout, 10*time.Second)
	orDefault(&c.SnapshotEntries, 100_000)
	orDefault(&c.SnapshotInterval, 30*time.Second)
	orDefault(&c.TrailingBytes, DefaultTrailingBytes)
	orDefault(&c.TrailingEntries, 10_000)
	orDefault(&c.MinFreeBytes, 256<<20)
	if c.freeSpace == nil {
		c.freeSpace = disk.Free
		if c.NoSync { // a throw-away store may live on a small disk
			c.MinFreeBytes = -1
		}
	}
	if c.network == nil {
		c.network = system{}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// newID draws a random id of 128 bits, in hexadecimal.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // never fails: it ends the process where the system has no randomness
	return hex.EncodeToString(id[:])
}
