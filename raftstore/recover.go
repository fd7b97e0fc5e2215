package raftstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/disk"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// recoveringName is a file that is there while a recovery is under way: a node
// whose recovery was cut off does not start.
const recoveringName = "recovering.json"

// Recovery says what a recovery would do, or did.
type Recovery struct {
	NodeID    string
	ClusterID string         // of before; with it a recovery is confirmed
	NewID     string         // "" before it is done
	Applied   tuple.Revision // what the node holds, its whole log included
	Lost      []Member       // the members that will not be
}

// PlanRecovery says what Recover would do with the folder of a node that does not
// run. It changes nothing. Errors: as of Recover.
func PlanRecovery(dir string, log *slog.Logger) (Recovery, error) {
	return recovery(dir, log, func(n *Node, plan Recovery) (Recovery, error) { return plan, nil })
}

// Recover makes the node of a folder the only member of its cluster, after a
// majority was lost for good. Everything that the node has received stays, writes
// of unknown outcome at the end of its log included; acknowledged writes that only
// the lost members had are gone. So the cluster gets another identity: its members
// of before can never speak with it again, and tokens of before are refused, since
// the revisions that they name may come again with other content.
//
// The node must not run. confirm is the cluster's id. Where a recovery is cut off,
// the node does not start until another has ended. Errors: ErrRecoveryUnconfirmed,
// ErrRecoveryNeedless, the disk's.
func Recover(dir, confirm string, log *slog.Logger) (Recovery, error) {
	return recovery(dir, log, func(n *Node, plan Recovery) (Recovery, error) {
		if confirm != plan.ClusterID {
			return plan, ErrRecoveryUnconfirmed
		}
		return n.recover(plan)
	})
}

// recovery opens a folder for as long as do takes.
func recovery(dir string, log *slog.Logger, do func(*Node, Recovery) (Recovery, error)) (_ Recovery, err error) {
	if _, err := os.Stat(filepath.Join(dir, identityName)); err != nil {
		return Recovery{}, fmt.Errorf("%s is not the folder of a node: %w", dir, err)
	}
	config, err := Config{Dir: dir, Logger: log, TrailingBytes: -1}.withDefaults()
	if err != nil {
		return Recovery{}, err
	}
	n := &Node{config: config, log: config.Logger, started: make(chan struct{}), recovering: true}
	close(n.started)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer func() {
		n.halting.Wait()
		err = errors.Join(err, n.release())
	}()
	if err := n.open(); err != nil {
		return Recovery{}, err
	}
	plan, err := n.planRecovery()
	if err != nil {
		return plan, err
	}
	return do(n, plan)
}

func (n *Node) planRecovery() (Recovery, error) {
	cluster := n.clusterID()
	if cluster.IsZero() {
		return Recovery{}, fmt.Errorf("%w: it has not joined a cluster yet", ErrRecoveryNeedless)
	}
	last, err := n.raftLog.LastIndex()
	if err != nil {
		return Recovery{}, err
	}
	plan := Recovery{NodeID: n.id, ClusterID: cluster.String(), Applied: max(n.state.AppliedRevision(), tuple.Revision(last))}
	members, err := n.snapshots.configuration()
	if err != nil {
		return Recovery{}, err
	}
	voters, votes := 0, false
	for _, s := range members.Servers {
		told, _ := n.recorded(string(s.ID))
		if s.Suffrage == raft.Voter {
			voters++
			votes = votes || string(s.ID) == n.id
		}
		if string(s.ID) != n.id {
			plan.Lost = append(plan.Lost, Member{ID: string(s.ID), Name: told.Name, Address: string(s.Address), HTTPAddress: told.API, Voter: s.Suffrage == raft.Voter})
		}
	}
	if voters == 1 && votes && !n.interrupted() {
		return plan, fmt.Errorf("%w: no other member has a vote, so it elects itself", ErrRecoveryNeedless)
	}
	return plan, nil
}

// interrupted says whether a recovery of this folder was cut off.
func (n *Node) interrupted() bool {
	_, err := os.Stat(filepath.Join(n.config.Dir, recoveringName))
	return err == nil
}

// recover does it. From the first step on the node does not start before the last
// one is done, and each can be done again.
func (n *Node) recover(plan Recovery) (Recovery, error) {
	mark := filepath.Join(n.config.Dir, recoveringName)
	text, err := json.Marshal(map[string]string{"cluster": plan.ClusterID, "begun": time.Now().UTC().Format(time.RFC3339)})
	if err == nil {
		err = disk.Replace(mark, text)
	}
	if err == nil {
		err = n.replayLog()
	}
	if err != nil {
		return plan, err
	}
	entry, err := n.recoveryEntry()
	if err != nil {
		return plan, err
	}
	if err := n.raftLog.StoreLog(entry); err != nil {
		return plan, err
	}
	if err := n.raftLog.SetUint64([]byte("CurrentTerm"), entry.Term); err != nil { // Raft's name for it: no term may come again
		return plan, err
	}
	if err := n.applyOffline(entry); err != nil {
		return plan, err
	}
	if err := n.state.Persist(); err != nil {
		return plan, err
	}
	self := raft.Server{ID: raft.ServerID(n.id), Address: raft.ServerAddress(unnamedAddress(n.id))} // its term tells where it listens
	err = n.snapshots.put(record{
		Version: recordVersion, Index: entry.Index, Term: entry.Term, ConfigurationIndex: entry.Index, Applied: entry.Index,
		Configuration: raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{self}}),
	})
	if err != nil {
		return plan, err
	}
	// The log names members of before: a node that joins must not be sent it.
	n.raftLog.SetSnapshot(entry.Index, entry.Term)
	first, err := n.raftLog.FirstIndex()
	if err == nil {
		err = n.raftLog.DeleteRange(first, entry.Index)
	}
	if err != nil {
		return plan, err
	}
	plan.NewID, plan.Applied = n.clusterID().String(), tuple.Revision(entry.Index)
	n.log.Warn("the cluster was recovered: this node is its only member", "former_cluster", plan.ClusterID, "cluster", plan.NewID, "revision", entry.Index)
	if err := os.Remove(mark); err != nil {
		return plan, err
	}
	return plan, disk.Sync(n.config.Dir)
}

// replayLog applies what the log holds behind the state.
func (n *Node) replayLog() error {
	last, err := n.raftLog.LastIndex()
	if err != nil {
		return err
	}
	applied, _ := n.state.Applied()
	for index := max(applied, n.snapshots.current.Index) + 1; index <= last; index++ {
		var entry raft.Log
		if err := n.raftLog.GetLog(index, &entry); err != nil {
			return fmt.Errorf("entry %d of the log: %w", index, err)
		}
		if entry.Type != raft.LogCommand {
			continue
		}
		if err := n.applyOffline(&entry); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) applyOffline(entry *raft.Log) error {
	decoded, err := command.Decode(entry.Data)
	if err != nil {
		return fmt.Errorf("decode entry %d: %w", entry.Index, err)
	}
	results, err := n.state.Apply(entry.Index, entry.Term, decoded)
	if err != nil {
		return fmt.Errorf("apply entry %d: %w", entry.Index, err)
	}
	if _, ours := decoded.Commands[0].Body.(*command.Recover); !ours {
		return nil
	}
	for _, r := range results {
		if r.Rejection != nil {
			return fmt.Errorf("the recovery was rejected: %w", r.Rejection)
		}
	}
	return nil
}

// recoveryEntry is the note in the log that the cluster was recovered, and what
// gives it its new identity, as the entry behind all others in a term of its own.
func (n *Node) recoveryEntry() (*raft.Log, error) {
	last, err := n.raftLog.LastIndex()
	if err != nil {
		return nil, err
	}
	term, err := n.raftLog.GetUint64([]byte("CurrentTerm"))
	if err != nil {
		return nil, err
	}
	applied, appliedTerm := n.state.Applied()
	recover := &command.Recover{From: n.clusterID(), Node: n.id}
	rand.Read(recover.ID[:]) // never fails
	rand.Read(recover.Key[:])
	self, _ := n.recorded(n.id)
	self.ID, self.Voter, self.Feature = n.id, true, command.FeatureLevel
	data, err := command.Entry{Time: max(time.Now().UnixNano(), n.state.LogTime().UnixNano()), Commands: []command.Command{
		{Feature: command.FeatureMembership, Body: recover},
		{Body: &command.SetMember{Member: self}},
		{Body: &command.SetFeature{Level: command.FeatureLevel}},
	}}.Encode()
	if err != nil {
		return nil, err
	}
	return &raft.Log{
		Index: max(last, applied, n.snapshots.current.Index) + 1, Term: max(term, appliedTerm, n.snapshots.current.Term) + 1,
		Type: raft.LogCommand, Data: data, AppendedAt: time.Now(),
	}, nil
}
