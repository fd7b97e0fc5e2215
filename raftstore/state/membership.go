package state

import (
	"encoding/hex"
	"maps"

	"github.com/dgraph-io/badger/v4"
	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore/command"
)

func tokenKey(id command.TokenID) []byte { return append([]byte{prefixMember, 't'}, id[:]...) }

// joinTokenRecord is how a token stands on disk.
type joinTokenRecord struct {
	Hash    string `json:"hash"`
	Expires int64  `json:"expires"`
	Replica bool   `json:"replica"`
	UsedBy  string `json:"used_by"`
}

func (a *applier) setToken(t command.JoinToken) error {
	value, err := json.Marshal(joinTokenRecord{hex.EncodeToString(t.Hash[:]), t.Expires, t.Replica, t.UsedBy}, json.Deterministic(true))
	if err != nil {
		return reject(command.CodeMemberInvalid, -1, "ids are UTF-8", "the node %q that uses a token: %v", t.UsedBy, err)
	}
	a.set(tokenKey(t.ID), value)
	return nil
}

func (a *applier) publishTokens(tokens map[command.TokenID]command.JoinToken) {
	a.s.tokens = tokens
	a.publish = append(a.publish, func() { a.s.head.tokens = tokens })
}

func (a *applier) putJoinToken(c *command.PutJoinToken) error {
	tokens := maps.Clone(a.s.tokens)
	for id, t := range tokens {
		if t.Expires <= a.now {
			delete(tokens, id)
			a.remove(tokenKey(id))
		}
	}
	if len(tokens) >= command.MaxJoinTokens {
		return reject(command.CodeTooManyJoinTokens, -1, "use them, or wait until they expire", "there are %d join tokens already", len(tokens))
	}
	t := c.Token
	t.UsedBy = ""
	if err := a.setToken(t); err != nil {
		return err
	}
	tokens[t.ID] = t
	a.publishTokens(tokens)
	return nil
}

func (a *applier) useJoinToken(c *command.UseJoinToken) error {
	t, ok := a.s.tokens[c.ID]
	switch {
	case !ok:
		return reject(command.CodeJoinTokenUnknown, -1, "make a new one", "the cluster knows no such join token")
	case t.Expires <= a.now:
		return reject(command.CodeJoinTokenExpired, -1, "make a new one", "the join token has expired")
	case t.UsedBy != "" && t.UsedBy != c.Node:
		return reject(command.CodeJoinTokenUsed, -1, "make one for each node", "the join token was used by the node %s", t.UsedBy)
	case t.UsedBy == c.Node:
		return nil
	}
	t.UsedBy = c.Node
	if err := a.setToken(t); err != nil {
		return err
	}
	tokens := maps.Clone(a.s.tokens)
	tokens[t.ID] = t
	a.publishTokens(tokens)
	return nil
}

func (a *applier) recoverCluster(c *command.Recover) error {
	s := a.s
	if c.From != s.cluster || c.ID.IsZero() || c.ID == c.From {
		return reject(command.CodeClusterExists, -1, "", "the recovery is of another cluster")
	}
	a.set(clusterKey, append(append([]byte{}, c.ID[:]...), c.Key[:]...))
	members := map[string]command.Member{}
	for id, m := range s.members {
		if id == c.Node {
			members[id] = m
			continue
		}
		a.remove(memberKey(id))
	}
	for id := range s.tokens {
		a.remove(tokenKey(id))
	}
	s.cluster, s.secret, s.members = c.ID, c.Key, members
	a.publish = append(a.publish, func() { s.head.cluster, s.head.secret, s.head.members = c.ID, c.Key, members })
	a.publishTokens(map[command.TokenID]command.JoinToken{})
	return nil
}

// loadTokens reads the join tokens as of the revision of txn.
func (w *working) loadTokens(txn *badger.Txn) error {
	w.tokens = map[command.TokenID]command.JoinToken{}
	prefix := tokenKey(command.TokenID{})[:2]
	return eachPair(txn, prefix, func(key, value []byte) error {
		var r joinTokenRecord
		if err := json.Unmarshal(value, &r); err != nil {
			return err
		}
		t := command.JoinToken{Expires: r.Expires, Replica: r.Replica, UsedBy: r.UsedBy}
		copy(t.ID[:], key[len(prefix):])
		hash, err := hex.DecodeString(r.Hash)
		copy(t.Hash[:], hash)
		w.tokens[t.ID] = t
		return err
	})
}

// JoinToken returns what is remembered of a token.
func (s *State) JoinToken(id command.TokenID) (command.JoinToken, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t, ok := s.head.tokens[id]
	return t, ok
}
