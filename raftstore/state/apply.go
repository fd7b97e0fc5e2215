package state

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/graph"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Apply applies one committed entry and publishes it to readers. It returns one
// result per command; for an entry that is applied already, none. Whether a
// command is accepted follows from the entries before it and from what it
// carries, never from the clock, the build or the disk of this node: an error is
// a fault of this node, which has to stop.
func (s *State) Apply(index, term uint64, e command.Entry) (results []command.Result, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	err = guard(func() (err error) {
		results, err = s.apply(index, term, e)
		return err
	})
	if err != nil {
		err = s.halt(err) // also where Badger panicked
	}
	return results, err
}

// apply is Apply's. The caller holds writing.
func (s *State) apply(index, term uint64, e command.Entry) ([]command.Result, error) {
	if s.fault != nil {
		return nil, s.fault
	}
	if tuple.Revision(index) <= s.index {
		return nil, nil
	}
	a := s.begin(tuple.Revision(index), max(s.time, e.Time))
	defer a.txn.Discard()
	results := make([]command.Result, len(e.Commands))
	for i, c := range e.Commands {
		if err := a.command(c, &results[i]); err != nil {
			return nil, s.halt(fmt.Errorf("command %d of the entry: %w", i, err))
		}
	}
	if err := a.commit(term); err != nil {
		return nil, s.halt(err)
	}
	return results, nil
}

// command judges one command. What it returns is a fault; a rejection is in the result.
func (a *applier) command(c command.Command, res *command.Result) error {
	res.Revision, res.Time, a.scanned = a.index, time.Unix(0, a.now).UTC(), 0
	st, err := a.judge(c, res)
	var rejection *command.Rejection
	if errors.As(err, &rejection) {
		a.rollback()
		*res = command.Result{Revision: a.index, Time: res.Time, Rejection: rejection}
		return nil
	}
	if err != nil {
		return err
	}
	return a.accept(st)
}

// judge does what a command says. It returns the store that it concerns, if any,
// and a *command.Rejection or a fault.
func (a *applier) judge(c command.Command, res *command.Result) (*store, error) {
	switch body := c.Body.(type) {
	case *command.Marker:
		return nil, nil
	case *command.ClusterInit:
		return nil, a.clusterInit(body)
	case *command.SetMember:
		return nil, a.setMember(body)
	case *command.PutJoinToken:
		return nil, a.putJoinToken(body)
	case *command.UseJoinToken:
		return nil, a.useJoinToken(body)
	case *command.Recover:
		return nil, a.recoverCluster(body)
	case *command.SetFeature:
		return nil, a.setFeature(body)
	case *command.SetFloor:
		return nil, a.setFloor(body)
	case *command.PutStore:
		return nil, a.putStore(c.Store, body.Index, res)
	}
	st, ok := a.s.byName[c.Store]
	if !ok {
		return nil, reject(command.CodeStoreNotFound, -1, "create it with PUT /v1/stores/"+c.Store,
			"the store %q does not exist", c.Store)
	}
	switch body := c.Body.(type) {
	case *command.DeleteStore:
		return st, a.deleteStore(st, res)
	case *command.PutSchema:
		return st, a.putSchema(st, body, res)
	case *command.Write:
		return st, a.writeTuples(st, body, res)
	case *command.Import:
		return st, a.importTuples(st, body, res)
	case *command.CollectExpired:
		return st, a.collectExpired(st, body, res)
	case *command.ResolveQuarantine:
		return st, a.resolveQuarantine(st, body, res)
	}
	return nil, &command.UnknownError{What: "kind", Value: uint64(c.Body.Kind())}
}

// reject makes a rejection; operation -1 is the request as a whole.
func reject(code command.Code, operation int, suggestion, format string, args ...any) *command.Rejection {
	return &command.Rejection{Code: code, Operation: operation, Message: fmt.Sprintf(format, args...), Suggestion: suggestion}
}

// commit writes the entry and publishes it.
func (a *applier) commit(term uint64) error {
	s := a.s
	effects := a.effects()
	if err := a.sumDefinitions(); err != nil {
		return err
	}
	rec := record{Prev: s.index, Base: s.base, Term: term, Time: a.now, Floor: s.floor, Feature: s.feature, Keys: a.keys, Events: a.events, Effects: effects}
	ids := make([]*store, 0, len(a.touched))
	for _, st := range a.touched {
		ids = append(ids, st)
	}
	slices.SortFunc(ids, func(x, y *store) int { return cmp.Compare(x.id, y.id) })
	for _, st := range ids {
		a.set(revisionKey(prefixStats, st.id, a.index), st.stats.record())
		rec.Marks = append(rec.Marks, st.mark())
	}
	if err := a.flush(rec); err != nil {
		return err
	}
	if err := a.feed(effects); err != nil {
		return err
	}
	s.memory.advance(a.index, s.floor, a.keys)
	s.index, s.term, s.time = a.index, term, a.now

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range a.publish {
		f()
	}
	for _, st := range ids {
		st.publishedMark = st.mark()
		if st.index != nil {
			s.unsettle(st.index)
		}
	}
	h := &s.head
	h.revision, h.term, h.time, h.floor, h.feature = a.index, term, a.now, s.floor, s.feature
	s.wake()
	s.feed.move()
	return nil
}

// feed gives the entry's effects to the graph indexes, before readers may ask
// for its revision.
func (a *applier) feed(effects []effect) error {
	changes := map[storeID][]graph.Change{}
	for _, e := range effects {
		if e.Kind != prefixTuple {
			continue
		}
		r, err := parseRow(e.Row)
		if err == nil {
			err = r.setValue(e.New)
		}
		if err != nil {
			return err
		}
		changes[e.Store] = append(changes[e.Store], graph.Change{Remove: !e.Has, Tuple: graph.Tuple(r)})
	}
	from := a.s.retained.advance(a.index, a.now, int64(a.s.options.Retain))
	for _, st := range a.touched {
		if st.index == nil {
			continue // read from the disk
		}
		st.index.Retain(from)
		if len(changes[st.id]) == 0 {
			continue
		}
		if err := st.index.Apply(a.index, changes[st.id]); err != nil {
			return fmt.Errorf("the graph index of store %d: %w", st.id, err)
		}
	}
	return nil
}
