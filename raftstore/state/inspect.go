package state

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Contents is what a snapshot holds.
type Contents struct {
	Index, Term uint64
	Floor       tuple.Revision
	Stores      []StoreContents // by name
}

// StoreContents is what a snapshot holds of a store at its revision.
type StoreContents struct {
	Name        string `json:"name"`
	Live        uint64 `json:"live"`
	Quarantined uint64 `json:"quarantined"`
	Digest      string `json:"digest"`
}

// Inspect reads a snapshot to its end and verifies it without a disk: its
// checksum, the form of all that is in it, and the digest and counts of every
// store. Errors wrap ErrStream or ErrCorrupt.
func Inspect(r io.Reader) (Contents, error) {
	in := &streamReader{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	head, err := in.header()
	if err != nil {
		return Contents{}, err
	}
	found := inspection{names: map[storeID]string{}, stats: map[storeID]*stats{}}
	marks, err := in.frames(found.frame)
	if err != nil {
		return Contents{}, err
	}
	out := Contents{Index: head.index, Term: head.term, Floor: head.floor, Stores: []StoreContents{}}
	for _, m := range marks {
		st := found.of(m.Store)
		if name, ok := found.names[m.Store]; !ok || st.Digest != m.Digest || st.Live != m.Live || st.Quarantined != m.Quarantined {
			return Contents{}, fmt.Errorf("%w: store %q has %d tuples with digest %s, where %d with %s should be", ErrCorrupt, name, st.Live, st.Digest, m.Live, m.Digest)
		}
		out.Stores = append(out.Stores, StoreContents{Name: found.names[m.Store], Live: m.Live, Quarantined: m.Quarantined, Digest: m.Digest.String()})
	}
	slices.SortFunc(out.Stores, func(a, b StoreContents) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// inspection counts what the newest revision sees. The frames come by key, the
// newest version first.
type inspection struct {
	last  []byte
	names map[storeID]string
	stats map[storeID]*stats
}

func (i *inspection) of(id storeID) *stats {
	if i.stats[id] == nil {
		i.stats[id] = newStats()
	}
	return i.stats[id]
}

func (i *inspection) frame(b []byte) error {
	f, err := parseFrame(b)
	if err != nil {
		return err
	}
	if order := bytes.Compare(f.key, i.last); order < 0 {
		return fmt.Errorf("%w: its keys are not in order", ErrStream)
	} else if order == 0 {
		return nil // an older version
	}
	i.last = append(i.last[:0], f.key...)
	if f.removed {
		return nil
	}
	switch kind := f.key[0]; kind {
	case prefixStore:
		st, err := parseStore(f.key, f.value)
		if err == nil && st.deleted == 0 {
			i.names[st.id] = st.name
		}
		return err
	case prefixTuple, prefixQuarantine:
		if len(f.key) < 5 {
			return fmt.Errorf("%w: %x", errCorruptKey, f.key)
		}
		r, err := parseRow(f.key[5:])
		if err == nil {
			err = r.setValue(f.value)
		}
		if err == nil {
			i.of(storeOfKey(string(f.key))).tally(kind, r, f.key[5:], f.value)
		}
		return err
	}
	return nil
}
