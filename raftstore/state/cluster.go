package state

import (
	"maps"

	"github.com/dgraph-io/badger/v4"
	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore/command"
)

var clusterKey = []byte{prefixMember, 'c'}

func memberKey(id string) []byte { return append([]byte{prefixMember, 'n'}, id...) }

func (a *applier) clusterInit(c *command.ClusterInit) error {
	s := a.s
	if !s.cluster.IsZero() {
		return reject(command.CodeClusterExists, -1, "join it instead", "the cluster has its identity already")
	}
	if c.ID.IsZero() {
		return reject(command.CodeClusterExists, -1, "draw a random id", "the zero id is no identity")
	}
	a.set(clusterKey, append(append([]byte{}, c.ID[:]...), c.Key[:]...))
	s.cluster, s.secret = c.ID, c.Key
	a.publish = append(a.publish, func() { s.head.cluster, s.head.secret = c.ID, c.Key })
	return nil
}

func (a *applier) setMember(c *command.SetMember) error {
	s, m := a.s, c.Member
	members := maps.Clone(s.members)
	if c.Remove {
		delete(members, m.ID)
		a.remove(memberKey(m.ID))
	} else {
		if m.Feature < s.feature {
			return reject(command.CodeFeatureLevel, -1, "upgrade the node first",
				"the node %s knows feature level %d; the cluster is at %d", m.ID, m.Feature, s.feature)
		}
		value, err := json.Marshal(m, json.Deterministic(true))
		if err != nil {
			return reject(command.CodeMemberInvalid, -1, "names and addresses are UTF-8", "the record of node %q: %v", m.ID, err)
		}
		members[m.ID] = m
		a.set(memberKey(m.ID), value)
	}
	s.members = members
	a.publish = append(a.publish, func() { s.head.members = members })
	return nil
}

func (a *applier) setFeature(c *command.SetFeature) error {
	s := a.s
	for _, m := range s.members {
		if m.Feature < c.Level {
			return reject(command.CodeFeatureLevel, -1, "upgrade every node first",
				"a node of the cluster knows feature level %d at most", minFeature(s.members))
		}
	}
	s.feature = max(s.feature, c.Level)
	return nil
}

func minFeature(members map[string]command.Member) uint32 {
	lowest := ^uint32(0)
	for _, m := range members {
		lowest = min(lowest, m.Feature)
	}
	return lowest
}

func (a *applier) setFloor(c *command.SetFloor) error {
	s := a.s
	if c.Revision >= a.index {
		return reject(command.CodeFloorAhead, -1, "take a revision that has been applied",
			"the history floor cannot pass the newest revision")
	}
	s.floor = max(s.floor, c.Revision)
	return nil
}

// loadCluster reads identity and members as of the revision of txn.
func (w *working) loadCluster(txn *badger.Txn) error {
	value, ok, err := get(txn, clusterKey)
	if err != nil {
		return err
	}
	if ok && len(value) == len(w.cluster)+len(w.secret) {
		copy(w.cluster[:], value)
		copy(w.secret[:], value[len(w.cluster):])
	}
	w.members = map[string]command.Member{}
	it := txn.NewIterator(badger.IteratorOptions{Prefix: memberKey("")})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		var m command.Member
		if err := it.Item().Value(func(v []byte) error { return json.Unmarshal(v, &m) }); err != nil {
			return err
		}
		w.members[m.ID] = m
	}
	return w.loadTokens(txn)
}
