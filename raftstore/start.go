package raftstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/pemba-authz/pemba/raftstore/raftlog"
	"github.com/pemba-authz/pemba/raftstore/state"
)

// A data folder holds:
//
//	node.json      the node's id
//	raft/log.db    the log and the votes of Raft
//	raft/snapshot.json
//	state/         Badger
const (
	identityName = "node.json"
	raftDir      = "raft"
	logName      = "log.db"
	stateDir     = "state"
)

// raftTimeout bounds one exchange with another member.
const raftTimeout = 10 * time.Second

// maxAppendEntries is how many entries one message to a follower carries. Raft does
// not count bytes, and an entry may be a quarter of a megabyte or, with one large
// command, maxCommandBytes.
const maxAppendEntries = 256

// inFlight is how many messages with entries are under way to a follower: with more
// than one, Raft's pipeline stops for ever where the follower refuses one while
// another waits to be sent, while heartbeats go on. The proposer has only two
// entries under way, so there is little to overlap.
const inFlight = 1

// commitTimeout is how soon an idle leader tells its followers what is committed:
// about how long a token of a fresh write waits on a follower.
const commitTimeout = 10 * time.Millisecond

// Open starts a node on Config.Dir. A node that is alone in its cluster is ready
// when Open returns; another becomes ready on its own, see WaitReady. The context
// bounds Open, not the node.
func Open(ctx context.Context, config Config) (*Node, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	n := &Node{config: config, log: config.Logger, ready: make(chan struct{}), refused: make(chan struct{}), started: make(chan struct{}),
		clock: newClock(config.Clock), turn: newTurn()}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.release())
	}
	alone, err := n.start()
	if err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if !alone {
		return n, nil
	}
	if err := n.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open opens what is on disk, the log first: its lock keeps other processes out.
func (n *Node) open() (err error) {
	dir := filepath.Join(n.config.Dir, raftDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	n.raftLog, err = raftlog.Open(raftlog.Options{
		Path:          filepath.Join(dir, logName),
		TrailingBytes: n.config.TrailingBytes,
		StallTimeout:  n.config.StallTimeout,
		Stalled:       n.diskStalled,
		NoSync:        n.config.NoSync,
		Storing:       n.config.storing,
		Damaged:       n.halt,
	})
	if errors.Is(err, raftlog.ErrDamaged) {
		return fmt.Errorf("%w; it holds this node's votes and promises, so nothing can stand in for it: remove the node from its cluster and join with an empty folder, or restore a backup", err)
	}
	if err != nil {
		return err
	}
	if !n.recovering && n.interrupted() {
		return ErrRecoveryUnderWay
	}
	if n.id, err = identity(n.config.Dir, n.config.NodeID); err != nil {
		return err
	}
	n.log = n.log.With("node", n.id)
	if err := n.loadCertificates(); err != nil {
		return err
	}
	if n.snapshots, err = openSnapshots(dir, n.raftLog); err != nil {
		return err
	}
	if err := n.openState(); err != nil {
		if !errors.Is(err, state.ErrCorrupt) {
			return err
		}
		if err := n.startOver(err); err != nil {
			return err
		}
	}
	n.fsm = &fsm{state: n.state, snapshots: n.snapshots, fault: n.halt, members: n.clock.members, damaged: n.damaged, suspended: n.rebuilds.cause != nil}
	return nil
}

// openState opens the state and compares it with what the log and its snapshot say.
func (n *Node) openState() (err error) {
	n.state, err = state.Open(state.Options{Dir: filepath.Join(n.config.Dir, stateDir), Logger: n.log, Boot: n.config.boot})
	if err != nil {
		return err
	}
	if level := n.state.Feature(); level > command.FeatureLevel {
		return fmt.Errorf("%w: the cluster uses feature level %d, and this build knows %d", ErrNewerData, level, command.FeatureLevel)
	}
	n.snapshots.state = n.state
	return n.snapshots.check(n.rebuilds.cause != nil)
}

// startOver puts a damaged state aside and opens an empty one, which is rebuilt
// from the other voters once Raft runs. Without any it leaves everything as it is.
func (n *Node) startOver(damage error) error {
	others, err := n.recordedVoters()
	if err != nil {
		return errors.Join(damage, err)
	}
	if others == 0 || n.config.ListenAddr == "" {
		return fmt.Errorf("%w; there is no other member to rebuild from: restore a backup into an empty folder", damage)
	}
	if n.state != nil {
		n.state.Close() // it is damaged: nothing of it needs to become durable
		n.state = nil
	}
	aside, err := emptyAside(n.config.Dir)
	if err == nil {
		err = state.SetAside(filepath.Join(n.config.Dir, stateDir), aside)
	}
	if err != nil {
		return errors.Join(damage, fmt.Errorf("put the damaged state aside: %w", err))
	}
	n.log.Error("this node's data is damaged: it was put aside, and is rebuilt from the other members", "error", damage, "kept", aside)
	n.rebuilds.cause = damage
	return n.openState()
}

// recordedVoters says how many other voters there are, as far as the log and its
// snapshot know.
func (n *Node) recordedVoters() (int, error) {
	members, err := n.snapshots.configuration()
	if err != nil {
		return 0, err
	}
	others := 0
	for _, s := range members.Servers {
		if string(s.ID) != n.id && s.Suffrage == raft.Voter {
			others++
		}
	}
	return others, nil
}

// identityVersion is the version of the whole folder. A build that lays it out
// differently takes the next one, so that older builds stay away.
const identityVersion = 1

// nodeIdentity is the file that keeps a node's id.
type nodeIdentity struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
}

// identity reads the node's id, or draws one the first time.
func identity(dir, wanted string) (string, error) {
	name := filepath.Join(dir, identityName)
	text, err := disk.ReadSummed(name)
	if errors.Is(err, os.ErrNotExist) {
		if wanted == "" {
			wanted = newID()
		}
		text, err := json.Marshal(nodeIdentity{Version: identityVersion, ID: wanted})
		if err != nil {
			return "", err
		}
		return wanted, disk.ReplaceSummed(name, text)
	}
	if err != nil {
		return "", err
	}
	var known nodeIdentity
	if err := json.Unmarshal(text, &known); err != nil {
		return "", fmt.Errorf("%s is damaged: %w", name, err)
	}
	if known.Version > identityVersion {
		return "", fmt.Errorf("%w: %s has version %d, and this build knows %d", ErrNewerData, name, known.Version, identityVersion)
	}
	if known.ID == "" || known.Version < 1 {
		return "", fmt.Errorf("%s is damaged: it names no node", name)
	}
	if wanted != "" && wanted != known.ID {
		return "", fmt.Errorf("%w of node %s, not of %s: use another folder", ErrExistingState, known.ID, wanted)
	}
	return known.ID, nil
}

// start starts Raft and everything around it. It says whether this node is the
// only one that votes.
func (n *Node) start() (alone bool, err error) {
	defer close(n.started)
	hasState, err := raft.HasExistingState(n.raftLog, n.raftLog, n.snapshots)
	if err != nil {
		return false, err
	}
	if applied, _ := n.state.Applied(); applied > 0 && !hasState {
		return false, fmt.Errorf("%w up to %d, but no log: the folder %s is damaged; join with an empty one, or restore a backup", ErrExistingState, applied, n.config.Dir)
	}
	transport, err := n.openTransport()
	if err != nil {
		return false, err
	}
	if err := n.checkCluster(); err != nil {
		return false, errors.Join(err, closeTransport(transport))
	}
	config := n.raftConfig()
	if !hasState && len(n.config.Join) == 0 {
		self := raft.Server{ID: raft.ServerID(n.id), Address: transport.LocalAddr()}
		if err := raft.BootstrapCluster(config, n.raftLog, n.raftLog, n.snapshots, transport, raft.Configuration{Servers: []raft.Server{self}}); err != nil {
			return false, errors.Join(fmt.Errorf("begin a cluster: %w", err), closeTransport(transport))
		}
	}
	// One millisecond more than wanted, so that the reload below is a shortening,
	// which makes Raft look at its timer at once.
	config.HeartbeatTimeout += time.Millisecond
	config.ElectionTimeout += time.Millisecond
	n.raft, err = raft.NewRaft(config, n.fsm, n.raftLog, n.raftLog, n.snapshots, transport)
	if err != nil {
		return false, errors.Join(fmt.Errorf("start Raft: %w", err), closeTransport(transport))
	}
	n.transport = transport
	n.proposer = newProposer(n.raft, n.clock.now)
	n.localReads = newReadBatch(n.ctx.Done(), n.verifyIndex)
	n.remoteReads = newReadBatch(n.ctx.Done(), n.remoteIndex)
	servers, err := n.servers()
	if err != nil {
		return false, err
	}
	n.background.Go(func() { n.turnLoop(n.ctx) })
	n.background.Go(func() { n.leadLoop(n.ctx) })
	n.background.Go(func() { n.localReads.run(n.ctx, raftTimeout) })
	n.background.Go(func() { n.remoteReads.run(n.ctx, raftTimeout) })
	n.background.Go(func() { n.readyLoop(n.ctx) })
	n.background.Go(func() { n.scrubLoop(n.ctx) })
	n.background.Go(func() { n.compareLoop(n.ctx) })
	n.clock.members(raft.Configuration{Servers: servers})
	n.background.Go(func() { n.clockLoop(n.ctx) })
	if n.rebuilds.cause != nil { // found damaged by open
		n.rebuilding.Go(func() { n.rebuildLoop(n.ctx) })
	}
	if n.config.MinFreeBytes > 0 {
		n.background.Go(func() { n.spaceLoop(n.ctx) })
	}
	if n.mustJoin(servers) {
		n.background.Go(func() { n.joinLoop(n.ctx) })
	}
	if n.port != nil {
		n.port.open()
		n.watchCertificates()
		n.background.Go(func() { n.successionLoop(n.ctx) })
		n.background.Go(func() { n.standingLoop(n.ctx) })
		n.background.Go(func() { n.announceLoop(n.ctx) })
	}
	alone = len(servers) == 1 && string(servers[0].ID) == n.id
	if alone {
		err = n.raft.ReloadConfig(raft.ReloadableConfig{
			TrailingLogs: config.TrailingLogs, SnapshotInterval: config.SnapshotInterval, SnapshotThreshold: config.SnapshotThreshold,
			HeartbeatTimeout: n.config.HeartbeatTimeout, ElectionTimeout: n.config.ElectionTimeout,
		})
	}
	return alone, err
}

// mustJoin says whether the node still has to become what it is to be, at its address.
func (n *Node) mustJoin(servers []raft.Server) bool {
	s := serverOf(servers, n.id)
	self, recorded := n.recorded(n.id)
	if s.ID != "" && (s.Suffrage == raft.Voter || recorded && !self.Voter) && (len(servers) == 1 || string(s.Address) == n.address()) {
		return false
	}
	if len(n.config.Join) == 0 {
		n.setHindrance("this node is no member with this address; start it with a member to join")
		return false
	}
	return true
}

// address is the cluster port that members are told; a name that nobody dials
// where there is no port.
func (n *Node) address() string {
	if n.port == nil {
		return unnamedAddress(n.id)
	}
	return n.port.Addr().String()
}

func unnamedAddress(id string) string { return "node-" + id }

func (n *Node) openTransport() (raft.Transport, error) {
	if n.config.ListenAddr == "" {
		_, transport := raft.NewInmemTransport(raft.ServerAddress(n.address()))
		return transport, nil
	}
	port, err := listen(portConfig{
		network: n.config.network, address: n.config.ListenAddr, advertise: n.config.AdvertiseAddr, clusterID: n.clusterID,
		credentials: n.credentials, insecure: n.config.Insecure, log: n.log,
		serve: func(ctx context.Context, conn net.Conn, from pki.Identity) {
			servePeer(ctx, conn, n.handlerFor(from))
		},
	})
	if err != nil {
		return nil, err
	}
	n.port = port
	n.peers = newPeers(func(ctx context.Context, address string) (net.Conn, error) {
		return port.dial(ctx, address, prefacePeer)
	})
	var transport raft.Transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: port, MaxPool: 4, MaxRPCsInFlight: inFlight, Timeout: raftTimeout, Logger: newRaftLogger(n.log), MsgpackUseNewTimeFormat: true,
	})
	if n.config.transport != nil {
		transport = n.config.transport(transport)
	}
	return transport, nil
}

func closeTransport(t raft.Transport) error {
	if c, ok := t.(raft.WithClose); ok {
		return c.Close()
	}
	return nil
}

func (n *Node) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.id)
	c.HeartbeatTimeout = n.config.HeartbeatTimeout
	c.ElectionTimeout = n.config.ElectionTimeout
	c.LeaderLeaseTimeout = n.config.LeaseTimeout
	c.CommitTimeout = commitTimeout
	c.MaxAppendEntries = maxAppendEntries
	c.BatchApplyCh = false     // it breaks what Apply's errors mean
	c.ShutdownOnRemove = false // the node stays up to say that it was removed
	c.TrailingLogs = n.config.TrailingEntries
	c.SnapshotThreshold = n.config.SnapshotEntries
	c.SnapshotInterval = n.config.SnapshotInterval
	c.NoSnapshotRestoreOnStart = true // the state on disk is the snapshot; see fsm
	c.NoLegacyTelemetry = true
	c.Logger = newRaftLogger(n.log)
	return c
}
