// Package command holds what goes through the Raft log: entries of commands,
// their versioned binary form, and what apply answers to each, a Result that may
// carry a typed Rejection.
//
// Build an Entry from bodies (PutStore, Write, …), call Encode on the node that
// proposes and Decode on every node that applies. What Decode does not know, it
// refuses with an error that halts the node: skipping a command would make the
// replicas differ.
package command

import (
	"cmp"
	"fmt"
	"slices"
)

// Version is the version of the framing, the first byte of an entry.
const Version = 1

// FeatureLevel is the highest level of commands that this build applies. A
// behaviour that differs from an older build's takes a new level.
//
//	1  the first
//	2  join tokens, recovery (FeatureMembership), stores on disk (FeatureIndex)
const FeatureLevel = 2

// MaxCommands is the most commands that one entry packs.
const MaxCommands = 512

// Entry is one Raft log entry: commands that share a revision. They are judged
// in order, each accepted or rejected singly; a later one sees the earlier ones.
type Entry struct {
	Time     int64 // the leader's clock when it proposed, in Unix nanoseconds
	Commands []Command
}

// Command is one change. Which change it is, Body says.
type Command struct {
	Feature uint32 // the feature level it needs; 0 means 1, the first
	Store   string // the store's name; "" for commands about the cluster
	Body    Body
}

// Body is the part of a command that differs by kind: one of the pointer types
// of this package that have Kind.
type Body interface {
	Kind() Kind
	encode(*encoder) error
	decode(*decoder)
}

// Kind numbers the commands. Numbers are part of the log's format: they are
// never reused.
type Kind uint8

const (
	KindClusterInit Kind = 1 + iota
	KindPutStore
	KindDeleteStore
	KindPutSchema
	KindWrite
	KindImport
	KindCollectExpired
	KindSetFloor
	KindSetMember
	KindSetFeature
	KindMarker
	KindResolveQuarantine
	KindPutJoinToken
	KindUseJoinToken
	KindRecover
)

func newBody(k Kind) Body {
	switch k {
	case KindClusterInit:
		return &ClusterInit{}
	case KindPutStore:
		return &PutStore{}
	case KindDeleteStore:
		return &DeleteStore{}
	case KindPutSchema:
		return &PutSchema{}
	case KindWrite:
		return &Write{}
	case KindImport:
		return &Import{}
	case KindCollectExpired:
		return &CollectExpired{}
	case KindSetFloor:
		return &SetFloor{}
	case KindSetMember:
		return &SetMember{}
	case KindSetFeature:
		return &SetFeature{}
	case KindMarker:
		return &Marker{}
	case KindResolveQuarantine:
		return &ResolveQuarantine{}
	case KindPutJoinToken:
		return &PutJoinToken{}
	case KindUseJoinToken:
		return &UseJoinToken{}
	case KindRecover:
		return &Recover{}
	}
	return nil
}

// UnknownError says that an entry is of a version, kind or feature level that
// this build does not apply. The node has to stop: a newer build must run here.
type UnknownError struct {
	What  string // "version", "kind" or "feature level"
	Value uint64
}

// Error names what is unknown and the way out.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("the log holds a command of %s %d, which this build does not know: run a newer build on this node", e.What, e.Value)
}

// Encode returns the entry's binary form. It is deterministic. An error says
// that the entry cannot be proposed; nothing has happened yet.
func (e Entry) Encode() ([]byte, error) {
	if len(e.Commands) > MaxCommands {
		return nil, fmt.Errorf("an entry packs at most %d commands, not %d", MaxCommands, len(e.Commands))
	}
	if e.Time < 0 {
		return nil, fmt.Errorf("the entry's time %d is before 1970", e.Time)
	}
	out := encoder{b: make([]byte, 0, 256)}
	out.byte(Version)
	out.uint(uint64(e.Time))
	out.uint(uint64(len(e.Commands)))
	for i, c := range e.Commands {
		if c.Body == nil {
			return nil, fmt.Errorf("command %d of the entry has no body", i)
		}
		if c.Feature > FeatureLevel {
			return nil, fmt.Errorf("command %d of the entry is of feature level %d; this build knows %d", i, c.Feature, FeatureLevel)
		}
		var body encoder
		body.byte(byte(c.Body.Kind()))
		body.uint(uint64(max(c.Feature, 1)))
		body.string(c.Store)
		if err := cmp.Or(c.Body.encode(&body), body.err); err != nil {
			return nil, fmt.Errorf("command %d of the entry: %w", i, err)
		}
		out.bytes(body.b)
	}
	return out.b, nil
}

// Decode reads what Encode wrote. Errors wrap ErrMalformed or are an
// *UnknownError; it never panics, and takes memory in proportion to the bytes.
func Decode(b []byte) (Entry, error) {
	d := decoder{b: b}
	if v := d.byte(); d.err == nil && v != Version {
		return Entry{}, &UnknownError{What: "version", Value: uint64(v)}
	}
	var e Entry
	instant := d.uint()
	if instant > 1<<63-1 {
		d.fail("the time %d is over 63 bits", instant)
	}
	e.Time = int64(instant)
	n := d.count()
	if n > MaxCommands {
		d.fail("an entry packs at most %d commands, not %d", MaxCommands, n)
	}
	for i := 0; i < n && d.err == nil; i++ {
		c, err := decodeCommand(d.bytes())
		if d.err == nil && err != nil {
			return Entry{}, err
		}
		e.Commands = append(e.Commands, c)
	}
	if d.err == nil && d.rest() > 0 {
		d.fail("%d bytes are left over", d.rest())
	}
	if d.err != nil {
		return Entry{}, d.err
	}
	return e, nil
}

func decodeCommand(b []byte) (Command, error) {
	d := decoder{b: slices.Clip(b)}
	kind := Kind(d.byte())
	feature := d.uint32()
	if d.err != nil {
		return Command{}, d.err
	}
	if feature == 0 || feature > FeatureLevel {
		return Command{}, &UnknownError{What: "feature level", Value: uint64(feature)}
	}
	body := newBody(kind)
	if body == nil {
		return Command{}, &UnknownError{What: "kind", Value: uint64(kind)}
	}
	c := Command{Feature: feature, Store: d.string(), Body: body}
	body.decode(&d)
	if d.err == nil && d.rest() > 0 {
		d.fail("%d bytes are left over in a command of kind %d", d.rest(), kind)
	}
	return c, d.err
}
