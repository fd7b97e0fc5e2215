package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// selected exports what a selection names.
func selected(t *testing.T, s *state.State, sel state.Selection) []byte {
	t.Helper()
	p, err := s.Select(sel)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var b bytes.Buffer
	if err := p.Write(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encoded(t *testing.T, e command.Entry) []byte {
	t.Helper()
	b, err := e.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSelections: another cluster that begins from what was selected answers every
// revision inside as the source does, has nothing else, goes on from there, and
// has no identity yet.
func TestSelections(t *testing.T) {
	for seed := range uint64(3) {
		r := newRun(t, 70+seed, 150)
		r.index++
		r.log[uint64(r.index)] = encoded(t, command.Entry{Time: r.now, Commands: []command.Command{
			{Body: &command.ClusterInit{ID: command.ClusterID{1}, Key: command.Secret{2}}},
			{Body: &command.SetMember{Member: command.Member{ID: "n", Feature: command.FeatureLevel}}},
			{Store: "one", Body: &command.PutStore{}}}})
		replay(t, r.s, uint64(r.index), r.log[uint64(r.index)])
		m, at := newModel(), map[tuple.Revision]contents{}
		for i := uint64(1); i <= uint64(r.index); i++ {
			if b, ok := r.log[i]; ok {
				e, err := command.Decode(b)
				if err != nil {
					t.Fatal(err)
				}
				_, at[tuple.Revision(i)] = m.entry(tuple.Revision(i), e)
			}
		}
		for _, sel := range []state.Selection{{Portable: true}, {Portable: true, Bare: true}, {Portable: true, Store: "one"}, {Portable: true, Bare: true, Store: "one"}} {
			t.Run(fmt.Sprintf("seed %d %+v", seed, sel), func(t *testing.T) {
				dir := t.TempDir()
				s := open(t, state.Options{Dir: dir})
				stream := selected(t, r.s, sel)
				contents, err := state.Inspect(bytes.NewReader(stream))
				if err != nil || contents.Index != uint64(r.index) {
					t.Fatalf("%+v, %v", contents, err)
				}
				for _, found := range contents.Stores {
					if want := m.stores[found.Name]; int(found.Live) != len(want.live) || int(found.Quarantined) != len(want.quarantine) {
						t.Errorf("it says that it holds %+v", found)
					}
				}
				if err := s.Import(bytes.NewReader(stream)); err != nil {
					t.Fatal(err)
				}
				if id, secret := s.Cluster(); !id.IsZero() || secret != (command.Secret{}) || len(s.Members()) > 0 {
					t.Error("the other cluster has the identity or the members of the source")
				}
				floor := m.floor
				if sel.Bare {
					floor = r.index
				}
				if s.Floor() != floor || s.AppliedRevision() != r.index {
					t.Fatalf("it holds %d to %d, want %d to %d", s.Floor(), s.AppliedRevision(), floor, r.index)
				}
				for rev, c := range at {
					if rev < floor {
						continue
					}
					if sel.Store != "" {
						c.stores = map[string]*modelStore{sel.Store: c.stores[sel.Store]}
						if now, err := r.s.View(sel.Store, 0); err == nil { // one that had the name before is another store
							then, err := r.s.View(sel.Store, rev)
							if err != nil || then.Store() != now.Store() {
								c.stores = nil
							}
							if err == nil {
								then.Close()
							}
							now.Close()
						}
					}
					checkRevision(t, s, r.world, m, rev, c)
				}
				if sel.Store != "" {
					if stores := s.Stores(); len(stores) != 1 || stores[0].Name != sel.Store {
						t.Errorf("it has the stores %+v", stores)
					}
				}
				b := encoded(t, command.Entry{Time: r.now, Commands: []command.Command{
					{Body: &command.ClusterInit{ID: command.ClusterID{3}, Key: command.Secret{4}}}, {Store: "new", Body: &command.PutStore{}}}})
				for _, result := range replay(t, s, uint64(r.index)+1, b) {
					if result.Rejection != nil {
						t.Errorf("going on: %+v", result.Rejection)
					}
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, state.Options{Dir: dir})
				if err := s.Scrub(t.Context()); err != nil {
					t.Error(err)
				}
				if id, _ := s.Cluster(); id != (command.ClusterID{3}) {
					t.Errorf("its identity is %v", id)
				}
			})
		}
	}
	if _, err := newRun(t, 3, 5).s.Select(state.Selection{Portable: true, Store: "nothing"}); !errors.Is(err, state.ErrStoreNotFound) {
		t.Errorf("a store that is not there: %v", err)
	}
}
