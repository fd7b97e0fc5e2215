package command

import (
	"encoding/hex"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// ClusterID names a cluster for ever. The zero value is none.
type ClusterID [16]byte

// String returns the id in hexadecimal.
func (id ClusterID) String() string { return hex.EncodeToString(id[:]) }

// IsZero says whether there is no id.
func (id ClusterID) IsZero() bool { return id == ClusterID{} }

// Secret is key material. It does not print itself.
type Secret [32]byte

// String hides the secret.
func (Secret) String() string { return "[secret]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[secret]" }

// ClusterInit gives the cluster its identity, once; it is rejected where the
// cluster has one.
type ClusterInit struct {
	ID  ClusterID
	Key Secret // seals tokens and cursors
}

// Kind returns KindClusterInit.
func (*ClusterInit) Kind() Kind { return KindClusterInit }

func (c *ClusterInit) encode(e *encoder) error {
	e.raw(c.ID[:])
	e.raw(c.Key[:])
	return nil
}

func (c *ClusterInit) decode(d *decoder) {
	copy(c.ID[:], d.raw(len(c.ID)))
	copy(c.Key[:], d.raw(len(c.Key)))
}

// SetFloor moves the history floor up: what was before it can no longer be read.
// A floor at or below the present one changes nothing.
type SetFloor struct {
	Revision tuple.Revision
}

// Kind returns KindSetFloor.
func (*SetFloor) Kind() Kind { return KindSetFloor }

func (s *SetFloor) encode(e *encoder) error { e.uint(uint64(s.Revision)); return nil }
func (s *SetFloor) decode(d *decoder)       { s.Revision = tuple.Revision(d.uint()) }

// Member is one node of the cluster.
type Member struct {
	ID      string `json:"id"`      // random, never an address
	Name    string `json:"name"`    // for people
	Raft    string `json:"raft"`    // host:port of Raft
	API     string `json:"api"`     // base URL that other nodes and clients use
	Voter   bool   `json:"voter"`   // false: it follows and has no vote
	Feature uint32 `json:"feature"` // the FeatureLevel of its build
}

// SetMember records a node, or with Remove forgets it. Rejected where the
// node's build does not reach the cluster's feature level.
type SetMember struct {
	Member Member
	Remove bool
}

// Kind returns KindSetMember.
func (*SetMember) Kind() Kind { return KindSetMember }

func (s *SetMember) encode(e *encoder) error {
	e.string(s.Member.ID)
	e.string(s.Member.Name)
	e.string(s.Member.Raft)
	e.string(s.Member.API)
	e.bool(s.Member.Voter)
	e.uint(uint64(s.Member.Feature))
	e.bool(s.Remove)
	return nil
}

func (s *SetMember) decode(d *decoder) {
	s.Member = Member{ID: d.string(), Name: d.string(), Raft: d.string(), API: d.string(), Voter: d.bool(), Feature: d.uint32()}
	s.Remove = d.bool()
}

// SetFeature raises the cluster's feature level. Rejected while a member's build
// is below it; a level at or below the present one changes nothing.
type SetFeature struct {
	Level uint32
}

// Kind returns KindSetFeature.
func (*SetFeature) Kind() Kind { return KindSetFeature }

func (s *SetFeature) encode(e *encoder) error { e.uint(uint64(s.Level)); return nil }
func (s *SetFeature) decode(d *decoder)       { s.Level = d.uint32() }

// Marker changes nothing. A new leader applies one of its own term before it
// serves linearizable reads.
type Marker struct{}

// Kind returns KindMarker.
func (*Marker) Kind() Kind              { return KindMarker }
func (*Marker) encode(e *encoder) error { return nil }
func (*Marker) decode(d *decoder)       {}
