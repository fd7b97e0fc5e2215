package state_test

import (
	"maps"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// model is what a State should be: maps, cloned for every command, with no keys,
// counters or overlays.
type model struct {
	now    int64
	floor  tuple.Revision
	stores map[string]*modelStore
}

type modelStore struct {
	live, quarantine map[tuple.Key]tuple.Tuple
	admission        *schema.Admission
	schema           tuple.Revision
	files            string // the schema's text
	disk             bool
	changed          tuple.Revision
	changedKeys      map[tuple.Key]tuple.Revision
	answers          map[string]modelAnswer

	before map[tuple.Key]tuple.Tuple // live before the entry
}

type modelAnswer struct {
	body   [32]byte
	result command.Result
}

func (s *modelStore) clone() *modelStore {
	c := *s
	c.live, c.quarantine, c.answers = maps.Clone(s.live), maps.Clone(s.quarantine), maps.Clone(s.answers)
	return &c
}

// contents is what the model held after an entry.
type contents struct {
	now    int64
	stores map[string]*modelStore
}

func newModel() *model { return &model{stores: map[string]*modelStore{}} }

// entry applies an entry and returns its results and the contents afterwards.
func (m *model) entry(rev tuple.Revision, e command.Entry) ([]command.Result, contents) {
	m.now = max(m.now, e.Time)
	for _, s := range m.stores {
		s.before = s.live
	}
	results := make([]command.Result, len(e.Commands))
	for i, c := range e.Commands {
		results[i] = m.command(rev, c)
	}
	for _, s := range m.stores {
		for k, t := range s.live {
			if b, ok := s.before[k]; !ok || b != t {
				s.changedKeys[k] = rev
			}
		}
		for k := range s.before {
			if _, ok := s.live[k]; !ok {
				s.changedKeys[k] = rev
			}
		}
		maps.DeleteFunc(s.answers, func(_ string, a modelAnswer) bool { return a.result.Revision < m.floor })
	}
	return results, contents{now: m.now, stores: maps.Clone(m.stores)}
}

func rejection(rev tuple.Revision, code command.Code) command.Result {
	return command.Result{Revision: rev, Rejection: &command.Rejection{Code: code}}
}

func (m *model) command(rev tuple.Revision, c command.Command) command.Result {
	res := command.Result{Revision: rev}
	switch body := c.Body.(type) {
	case *command.SetFloor:
		if body.Revision >= rev {
			return rejection(rev, command.CodeFloorAhead)
		}
		m.floor = max(m.floor, body.Revision)
		return res
	case *command.PutStore:
		switch s := m.stores[c.Store]; {
		case s != nil && body.Index != command.IndexUnsaid && s.disk != (body.Index == command.IndexDisk):
			return rejection(rev, command.CodeStoreIndexDiffers)
		case s == nil:
			m.stores[c.Store] = &modelStore{disk: body.Index == command.IndexDisk, live: map[tuple.Key]tuple.Tuple{}, quarantine: map[tuple.Key]tuple.Tuple{},
				changedKeys: map[tuple.Key]tuple.Revision{}, answers: map[string]modelAnswer{}}
		}
		return res
	case *command.Marker:
		return res
	}
	old := m.stores[c.Store]
	if old == nil {
		return rejection(rev, command.CodeStoreNotFound)
	}
	s := old.clone()
	var code command.Code
	switch body := c.Body.(type) {
	case *command.DeleteStore:
		res.Deleted = uint64(len(s.live))
		delete(m.stores, c.Store)
		return res
	case *command.Write:
		code = s.write(m, rev, body, &res)
	case *command.Import:
		w := &command.Write{}
		for _, t := range body.Tuples {
			w.Operations = append(w.Operations, command.Operation{Op: command.Touch, Tuple: t})
		}
		code = s.write(m, rev, w, &res)
	case *command.PutSchema:
		code = s.putSchema(m.now, rev, body, &res)
	case *command.CollectExpired:
		s.collect(m.now, int(body.Limit), &res)
	case *command.ResolveQuarantine:
		s.resolve(m.now, body, &res)
	}
	if code != "" {
		return rejection(rev, code)
	}
	if !maps.Equal(old.live, s.live) || !maps.Equal(old.quarantine, s.quarantine) {
		s.changed = rev
	}
	m.stores[c.Store] = s
	return res
}

func expired(t tuple.Tuple, now int64) bool {
	return !t.Expires.IsZero() && !t.Expires.After(time.Unix(0, now))
}

func (s *modelStore) write(m *model, rev tuple.Revision, w *command.Write, res *command.Result) command.Code {
	if a, ok := s.answers[w.IdempotencyKey]; ok {
		if a.body != w.BodyDigest {
			return command.CodeIdempotencyMismatch
		}
		*res = a.result
		res.Replayed = true
		return ""
	}
	if code := s.unknownName(w); code != "" {
		return code
	}
	for _, p := range w.Preconditions {
		if code := s.precondition(m, p); code != "" {
			return code
		}
	}
	if w.DeleteFilter != nil {
		for k, t := range s.live {
			if w.DeleteFilter.Matches(k) {
				delete(s.live, k)
				if !expired(t, m.now) {
					res.Deleted++
				}
			}
		}
		for k, t := range s.quarantine {
			if w.DeleteFilter.Matches(k) {
				delete(s.quarantine, k)
				if !expired(t, m.now) {
					res.Deleted++
				}
			}
		}
	}
	var first command.Code
	seen := map[tuple.Key]bool{}
	var admitter *schema.Admitter
	if s.admission != nil {
		admitter = s.admission.Index()
	}
	for _, o := range w.Operations {
		code := s.operation(m.now, admitter, o, seen, res)
		if first == "" {
			first = code
		}
	}
	if first != "" {
		return first
	}
	for _, o := range w.Operations {
		if o.Op == command.Delete {
			continue
		}
		most := admitter.Relation(o.Tuple.Object.Type, o.Tuple.Relation).AtMost
		if most > 0 && s.count(o.Tuple, m.now) > most {
			return command.CodeAtMost
		}
	}
	if w.IdempotencyKey != "" {
		s.answers[w.IdempotencyKey] = modelAnswer{w.BodyDigest, *res}
	}
	return ""
}

func (s *modelStore) operation(now int64, x *schema.Admitter, o command.Operation, seen map[tuple.Key]bool, res *command.Result) command.Code {
	k := o.Tuple.Key
	if seen[k] {
		return command.CodeDuplicateOperation
	}
	seen[k] = true
	old, there := s.live[k]
	live := there && !expired(old, now)
	if o.Op == command.Delete {
		if live {
			res.Deleted++
		}
		_, quarantined := s.quarantine[k]
		delete(s.live, k)
		delete(s.quarantine, k)
		if x != nil && !there && !quarantined {
			if r := x.AdmitKey(k); r != nil {
				return command.Code(r.Code)
			}
		}
		return ""
	}
	if x == nil {
		return command.CodeSchemaMissing
	}
	if r := x.Admit(o.Tuple); r != nil {
		return command.Code(r.Code)
	}
	if o.Op == command.Create && live {
		return command.CodeTupleExists
	}
	delete(s.quarantine, k)
	switch {
	case !live:
		res.Created++
	case old != o.Tuple:
		res.Updated++
	}
	s.live[k] = o.Tuple
	return ""
}

func (s *modelStore) count(t tuple.Tuple, now int64) int {
	n := 0
	for k, other := range s.live {
		if k.Object == t.Object && k.Relation == t.Relation && !expired(other, now) {
			n++
		}
	}
	return n
}

func (s *modelStore) precondition(m *model, p command.Precondition) command.Code {
	if p.Must != command.Unchanged {
		found := false
		for k, t := range s.live {
			found = found || p.Filter.Matches(k) && !expired(t, m.now)
		}
		if found != (p.Must == command.Match) {
			return command.CodePreconditionFailed
		}
		return ""
	}
	if p.Since < m.floor {
		return command.CodePreconditionTooOld
	}
	changed := p.Filter.IsZero() && s.changed > p.Since
	for k, rev := range s.changedKeys {
		changed = changed || p.Filter.Matches(k) && rev > p.Since
	}
	for k, t := range s.live { // by earlier commands of this entry
		b, ok := s.before[k]
		changed = changed || p.Filter.Matches(k) && (!ok || b != t)
	}
	for k := range s.before {
		_, ok := s.live[k]
		changed = changed || p.Filter.Matches(k) && !ok
	}
	if changed && s.changed > p.Since {
		return command.CodePreconditionFailed
	}
	return ""
}

func (s *modelStore) putSchema(now int64, rev tuple.Revision, p *command.PutSchema, res *command.Result) command.Code {
	m := p.IfMatch
	if m.None && s.schema != 0 || m.Revision != 0 && m.Revision != s.schema {
		return command.CodeSchemaConflict
	}
	if s.files == p.Files[0].Text {
		res.Schema = &command.SchemaResult{Revision: s.schema, Unchanged: true}
		return ""
	}
	x := p.Admission.Index()
	type userset struct {
		o tuple.Object
		r string
	}
	var orphans []tuple.Tuple
	held := map[userset][]tuple.Tuple{}
	for _, t := range s.live {
		u := userset{t.Object, t.Relation}
		if x.Admit(t) != nil {
			orphans = append(orphans, t)
		} else if !expired(t, now) {
			held[u] = append(held[u], t)
		}
	}
	for u, ts := range held {
		if most := x.Relation(u.o.Type, u.r).AtMost; most > 0 && len(ts) > most {
			orphans = append(orphans, ts...)
		}
	}
	for _, t := range orphans {
		if expired(t, now) {
			delete(s.live, t.Key)
			continue
		}
		switch p.Orphans {
		case command.OrphansRefuse:
			return command.CodeOrphanedTuples
		case command.OrphansDelete:
			res.Deleted++
		case command.OrphansIgnore:
			res.Quarantined++
			s.quarantine[t.Key] = t
		}
		delete(s.live, t.Key)
	}
	s.admission, s.schema, s.files = p.Admission, rev, p.Files[0].Text
	res.Schema = &command.SchemaResult{Revision: rev}
	return ""
}

func (s *modelStore) collect(now int64, limit int, res *command.Result) {
	var gone []tuple.Tuple
	for _, t := range s.live {
		if expired(t, now) {
			gone = append(gone, t)
		}
	}
	// The tests give every expiry its own instant and limits that no entry
	// reaches, so that the order does not matter here.
	for _, t := range gone[:min(limit, len(gone))] {
		delete(s.live, t.Key)
		res.Deleted++
	}
}

func (s *modelStore) resolve(now int64, q *command.ResolveQuarantine, res *command.Result) {
	if s.admission == nil {
		return
	}
	x := s.admission.Index()
	keys := slices.SortedFunc(maps.Keys(s.quarantine), tuple.Key.Compare)
	for _, k := range keys {
		t := s.quarantine[k]
		if !q.Filter.Matches(k) {
			continue
		}
		if q.Revive && !expired(t, now) {
			old, there := s.live[k]
			r := x.Relation(k.Object.Type, k.Relation)
			if there && !expired(old, now) || x.Admit(t) != nil || r.AtMost > 0 && s.count(t, now) >= r.AtMost {
				res.Quarantined++
				continue
			}
			s.live[k] = t
			res.Created++
		} else {
			res.Deleted++
		}
		delete(s.quarantine, k)
	}
}
