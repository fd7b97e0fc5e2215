package command

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// PutStore creates the store that the command names. Where it exists, nothing
// changes, and that is no fault unless another Index is asked for.
type PutStore struct {
	Index StoreIndex
}

// StoreIndex says where a store's graph is read. It is chosen when the store is
// made and stays.
type StoreIndex uint8

const (
	IndexUnsaid StoreIndex = iota // a new store's is IndexMemory, an old one's is what it is
	IndexMemory                   // in memory, built at start
	IndexDisk                     // in Badger, by keys in both directions: slower, and no larger than the disk
)

// FeatureIndex is the feature level of a PutStore that says an index.
const FeatureIndex = 2

// String returns the word that the API uses.
func (i StoreIndex) String() string {
	switch i {
	case IndexUnsaid:
		return ""
	case IndexMemory:
		return "memory"
	case IndexDisk:
		return "disk"
	}
	return fmt.Sprintf("index(%d)", uint8(i))
}

// Kind returns KindPutStore.
func (*PutStore) Kind() Kind { return KindPutStore }

// encode writes nothing for what commands said before there was a choice.
func (p *PutStore) encode(e *encoder) error {
	if p.Index > IndexDisk {
		return fmt.Errorf("unknown index %d", p.Index)
	}
	if p.Index != IndexUnsaid {
		e.byte(byte(p.Index))
	}
	return nil
}

func (p *PutStore) decode(d *decoder) {
	if d.rest() == 0 {
		return
	}
	if p.Index = StoreIndex(d.byte()); p.Index == IndexUnsaid || p.Index > IndexDisk {
		d.fail("unknown index %d", p.Index)
	}
}

// DeleteStore deletes the store with all that is in it. Its name is free at
// once; its number is never given again.
type DeleteStore struct{}

// Kind returns KindDeleteStore.
func (*DeleteStore) Kind() Kind              { return KindDeleteStore }
func (*DeleteStore) encode(e *encoder) error { return nil }
func (*DeleteStore) decode(d *decoder)       {}

// Orphans says what happens to tuples that a new schema no longer admits.
type Orphans uint8

const (
	OrphansRefuse Orphans = iota // the schema is rejected
	OrphansDelete                // the tuples are deleted
	OrphansIgnore                // the tuples are quarantined: listed, never walked
)

// String returns the word that the API uses.
func (o Orphans) String() string {
	switch o {
	case OrphansRefuse:
		return "refuse"
	case OrphansDelete:
		return "delete"
	case OrphansIgnore:
		return "ignore"
	}
	return fmt.Sprintf("orphans(%d)", uint8(o))
}

// SchemaMatch is the condition of a schema write on the schema that is there.
type SchemaMatch struct {
	Revision tuple.Revision // the current schema has this revision; 0: any
	Digest   [32]byte       // the current schema has this digest; zero: any
	None     bool           // there is no schema yet
}

// PutSchema writes a store's schema: its sources, and the admission table that
// stands for them in apply. The proposer has compiled them.
type PutSchema struct {
	Files     []source.File // the root first
	Admission *schema.Admission
	IfMatch   SchemaMatch
	Orphans   Orphans
	Dialect   string        // "" where Files were written by hand; else the language of Original
	Original  []source.File // what was given, in that dialect
}

// Kind returns KindPutSchema.
func (*PutSchema) Kind() Kind { return KindPutSchema }

func (p *PutSchema) encode(e *encoder) error {
	if p.Admission == nil {
		return errors.New("a schema needs its admission table")
	}
	if p.Orphans > OrphansIgnore {
		return fmt.Errorf("unknown way with orphans %d", p.Orphans)
	}
	table, err := json.Marshal(p.Admission, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("the admission table: %w", err)
	}
	e.files(p.Files)
	e.bytes(table)
	e.uint(uint64(p.IfMatch.Revision))
	e.raw(p.IfMatch.Digest[:])
	e.bool(p.IfMatch.None)
	e.byte(byte(p.Orphans))
	e.string(p.Dialect)
	e.files(p.Original)
	return nil
}

func (p *PutSchema) decode(d *decoder) {
	p.Files = d.files()
	table := d.bytes()
	if d.err == nil {
		p.Admission = &schema.Admission{}
		if err := json.Unmarshal(table, p.Admission, json.RejectUnknownMembers(true)); err != nil {
			d.fail("the admission table: %v", err)
		}
	}
	p.IfMatch.Revision = tuple.Revision(d.uint())
	copy(p.IfMatch.Digest[:], d.raw(len(p.IfMatch.Digest)))
	p.IfMatch.None = d.bool()
	if p.Orphans = Orphans(d.byte()); p.Orphans > OrphansIgnore {
		d.fail("unknown way with orphans %d", p.Orphans)
	}
	p.Dialect = d.string()
	p.Original = d.files()
}

// Digest identifies the schema's sources: what IfMatch compares.
func (p *PutSchema) Digest() [32]byte {
	var e encoder
	e.files(p.Files)
	return sha256.Sum256(e.b)
}

func (e *encoder) files(files []source.File) {
	e.uint(uint64(len(files)))
	for _, f := range files {
		e.string(f.Name)
		e.string(f.Text)
	}
}

func (d *decoder) files() []source.File {
	return list(d, func() source.File { return source.File{Name: d.string(), Text: d.string()} })
}
