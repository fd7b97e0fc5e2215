// Package inprocess puts a dataset into the state of a node, without Raft and
// without HTTP, and asks the engine about it: what is left is the check alone.
//
// Call Open first, then View for what engine.Check takes. It is a package of its
// own because it needs the engine and the store, which a program that loads a
// server from outside does not.
package inprocess

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Store is a state with one dataset in it.
type Store struct {
	state *state.State

	// Took is how long the state took to open, with the graph index, where the
	// dataset was there already; else how long to fill.
	Took time.Duration
	// Found says that the dataset was there already.
	Found bool
}

const storeName = "bench"

// entryTuples is how many tuples one entry of the log imports.
const entryTuples = 1000

// Open fills a folder with a dataset, or opens what an earlier call has filled
// there: each dataset has a folder of its own below dir.
func Open(dir string, d dataset.Dataset) (*Store, error) { return open(dir, d, func(int) {}) }

// open tells progress how many tuples have been written so far.
func open(dir string, d dataset.Dataset, progress func(tuples int)) (*Store, error) {
	dir = filepath.Join(dir, d.Name())
	complete, is := filepath.Join(dir, "bench-complete"), fingerprint(d)
	s := &Store{}
	begin := time.Now()
	var err error
	if s.state, err = state.Open(state.Options{Dir: filepath.Join(dir, "state")}); err != nil {
		return nil, fmt.Errorf("bench: %s: %w", dir, err)
	}
	was, _ := os.ReadFile(complete) // missing: not filled, or not whole
	if index, _ := s.state.Applied(); index > 0 {
		if string(was) != is {
			s.state.Close()
			return nil, fmt.Errorf("bench: %s holds another dataset, or one that was not loaded whole: delete the folder", dir)
		}
		s.Found, s.Took = true, time.Since(begin)
		return s, nil
	}
	if err = s.fill(d, progress); err == nil {
		err = os.WriteFile(complete, []byte(is), 0o600)
	}
	if err != nil {
		s.state.Close()
		return nil, err
	}
	s.Took = time.Since(begin)
	return s, nil
}

// fingerprint tells datasets of one name apart: by the schema and the first tuples.
func fingerprint(d dataset.Dataset) string {
	h, n := sha256.New(), 0
	fmt.Fprintln(h, d.Schema())
	for t := range d.Tuples() {
		if fmt.Fprintln(h, t); n == 1000 {
			break
		}
		n++
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Store) fill(d dataset.Dataset, progress func(tuples int)) error {
	files := []source.File{{Name: d.Name() + ".pemba", Text: d.Schema()}}
	m, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		return fmt.Errorf("bench: the schema of %s: %w", d.Name(), err)
	}
	if err := s.apply(&command.PutStore{}, &command.PutSchema{Files: files, Admission: m.Admission}); err != nil {
		return err
	}
	pending, written := make([]tuple.Tuple, 0, entryTuples), 0
	for t := range d.Tuples() {
		if pending = append(pending, t); len(pending) == entryTuples {
			if err := s.apply(&command.Import{Tuples: pending}); err != nil {
				return err
			}
			written += len(pending)
			progress(written)
			pending = pending[:0]
		}
	}
	if len(pending) > 0 {
		if err := s.apply(&command.Import{Tuples: pending}); err != nil {
			return err
		}
	}
	progress(written + len(pending))
	return nil
}

// apply applies one entry of the log.
func (s *Store) apply(bodies ...command.Body) error {
	index, _ := s.state.Applied()
	entry := command.Entry{Time: time.Now().UnixNano()}
	for _, b := range bodies {
		entry.Commands = append(entry.Commands, command.Command{Store: storeName, Body: b})
	}
	results, err := s.state.Apply(index+1, 1, entry)
	for _, r := range results {
		if r.Rejection != nil {
			err = errors.Join(err, r.Rejection)
		}
	}
	if err != nil {
		return fmt.Errorf("bench: filling the store: %w", err)
	}
	return nil
}

// View opens a view of the newest revision, for engine.Check; close lets go of it.
func (s *Store) View() (v engine.View, close func(), err error) {
	held, err := s.state.View(storeName, 0)
	if err != nil {
		return engine.View{}, nil, err
	}
	compiled, err := held.Schema()
	if err != nil {
		held.Close()
		return engine.View{}, nil, err
	}
	return engine.View{Schema: compiled, Reader: held, Now: time.Now()}, held.Close, nil
}

// Graph returns the size of the graph index.
func (s *Store) Graph() graph.Stats { return s.state.Graphs() }

// Close closes the files.
func (s *Store) Close() error { return s.state.Close() }
