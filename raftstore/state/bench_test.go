package state_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// benchState is a state with a store, and a way to apply an entry.
func benchState(b *testing.B) (*state.State, func(...command.Command)) {
	b.Helper()
	s, err := state.Open(state.Options{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	index := uint64(0)
	apply := func(c ...command.Command) {
		index++
		results, err := s.Apply(index, 1, command.Entry{Time: int64(index), Commands: c})
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range results {
			if r.Rejection != nil {
				b.Fatal(r.Rejection)
			}
		}
	}
	files := []source.File{{Name: "s.pemba", Text: docs}}
	m, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		b.Fatal(err)
	}
	apply(command.Command{Store: "a", Body: &command.PutStore{}},
		command.Command{Store: "a", Body: &command.PutSchema{Files: files, Admission: m.Admission}})
	return s, apply
}

func nth(i int) tuple.Tuple {
	return tuple.Tuple{Key: tuple.Key{Object: tuple.Object{Type: "document", ID: fmt.Sprintf("doc-%d", i/4)},
		Relation: "viewer", Subject: tuple.Subject{Type: "user", ID: fmt.Sprintf("user-%d", i%10_000)}}}
}

func touch(i int) command.Command {
	return command.Command{Store: "a", Body: &command.Write{Operations: []command.Operation{{Op: command.Touch, Tuple: nth(i)}}}}
}

// BenchmarkApplySingle: one entry per tuple.
func BenchmarkApplySingle(b *testing.B) {
	_, apply := benchState(b)
	i := 0
	for b.Loop() {
		apply(touch(i))
		i++
	}
}

// BenchmarkApplyPacked: entries of 64 writes of one tuple each; per write.
func BenchmarkApplyPacked(b *testing.B) {
	_, apply := benchState(b)
	var pack []command.Command
	for i := range b.N {
		if pack = append(pack, touch(i)); len(pack) == 64 {
			apply(pack...)
			pack = pack[:0]
		}
	}
}

// BenchmarkImport: entries of 1,000 tuples; per tuple.
func BenchmarkImport(b *testing.B) {
	_, apply := benchState(b)
	var tuples []tuple.Tuple
	for i := range b.N {
		if tuples = append(tuples, nth(i)); len(tuples) == 1000 {
			apply(command.Command{Store: "a", Body: &command.Import{Tuples: tuples}})
			tuples = nil
		}
	}
}

// BenchmarkOpen: a restart with 200,000 tuples, index built and digest compared.
func BenchmarkOpen(b *testing.B) {
	const n = 200_000
	dir := b.TempDir()
	s, err := state.Open(state.Options{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	files := []source.File{{Name: "s.pemba", Text: docs}}
	m, err := schema.Compile(files, schema.NewNumbering())
	if err != nil {
		b.Fatal(err)
	}
	index := uint64(1)
	apply := func(c ...command.Command) {
		if _, err := s.Apply(index, 1, command.Entry{Time: int64(index), Commands: c}); err != nil {
			b.Fatal(err)
		}
		index++
	}
	apply(command.Command{Store: "a", Body: &command.PutStore{}},
		command.Command{Store: "a", Body: &command.PutSchema{Files: files, Admission: m.Admission}})
	for i := 0; i < n; i += 1000 {
		im := &command.Import{}
		for j := range 1000 {
			im.Tuples = append(im.Tuples, nth(i+j))
		}
		apply(command.Command{Store: "a", Body: im})
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := state.Open(state.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "tuples/s")
}

// BenchmarkView: opening and closing a view of the head.
func BenchmarkView(b *testing.B) {
	s, apply := benchState(b)
	apply(touch(1))
	for b.Loop() {
		v, err := s.View("a", 0)
		if err != nil {
			b.Fatal(err)
		}
		v.Close()
	}
}

// BenchmarkOverwrite writes a thousand tuples over and over, a million times, with
// a floor that follows, and reports what stays on disk.
func BenchmarkOverwrite(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		s, err := state.Open(state.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		files := []source.File{{Name: "s.pemba", Text: docs}}
		m, err := schema.Compile(files, schema.NewNumbering())
		if err != nil {
			b.Fatal(err)
		}
		index, _ := s.Applied()
		apply := func(c ...command.Command) {
			index++
			if _, err := s.Apply(index, 1, command.Entry{Time: int64(index), Commands: c}); err != nil {
				b.Fatal(err)
			}
		}
		apply(command.Command{Store: "a", Body: &command.PutStore{}}, command.Command{Store: "a", Body: &command.PutSchema{Files: files, Admission: m.Admission}})
		for round := range 1000 {
			im := &command.Import{}
			for i := range 1000 {
				t := nth(4 * i)
				t.Expires = time.Unix(int64(4_000_000_000+round), 0)
				im.Tuples = append(im.Tuples, t)
			}
			apply(command.Command{Store: "a", Body: im})
			if round%50 == 49 {
				apply(command.Command{Body: &command.SetFloor{Revision: tuple.Revision(index) - 10}})
				if err := s.Persist(); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	size := int64(0)
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if info, errInfo := entry.Info(); err == nil && errInfo == nil && !entry.IsDir() {
			size += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size)/(1<<20), "MB-on-disk")
}
