package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/condition"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// snapshot is what one request sees from start to end: a store at one revision,
// and one instant. Whoever opens it closes it.
type snapshot struct {
	*raftstore.View
	pace      pace // the context of what is evaluated over it
	now       time.Time
	evaluated api.Evaluated
}

// Close lets go of the revision, and of what the request holds of the lane.
func (s *snapshot) Close() {
	s.pace.end()
	s.View.Close()
}

// open pins the store of a route as the consistency asks. The instant is At where
// the request gives one; an exact snapshot's is the log time of its revision,
// since that is when it was true; else it is now, but never before the log's
// time: a tuple that the log saw expire stays expired, whatever this node's clock
// says.
func (s *Server) open(ctx context.Context, store string, when api.Moment) (*snapshot, error) {
	consistency, err := s.consistency(when.Consistency)
	if err != nil {
		return nil, err
	}
	past := when.Consistency != nil && when.Consistency.AtExactSnapshot != nil
	view, err := s.view(ctx, store, consistency, past)
	if err != nil {
		return nil, err
	}
	now := when.At
	if now.IsZero() {
		now = view.LogTime()
		if clock := s.config.Clock(); !past && clock.After(now) {
			now = clock
		}
	}
	return s.snapshot(ctx, view, now)
}

// openView is open, with what the engine walks there.
func (s *Server) openView(ctx context.Context, store string, when api.Moment, with brought) (*snapshot, engine.View, error) {
	snap, err := s.open(ctx, store, when)
	if err != nil {
		return nil, engine.View{}, err
	}
	view, err := s.engineView(snap, with)
	if err != nil {
		snap.Close()
		return nil, engine.View{}, err
	}
	return snap, view, nil
}

// view opens a view. One of the past must be of the store that has the name now:
// what a deleted store held is not for who made a new one under its name.
func (s *Server) view(ctx context.Context, store string, consistency raftstore.Consistency, past bool) (*raftstore.View, error) {
	view, err := s.node.View(ctx, store, consistency)
	if err != nil || !past {
		return view, err
	}
	info, err := s.node.Store(ctx, store)
	if err == nil && info.ID != view.Store() {
		err = api.NewProblem(api.HistoryExpired, "the store was deleted and made anew since that revision")
	}
	if err != nil {
		view.Close()
		return nil, err
	}
	return view, nil
}

// reopen pins the store where a cursor left it.
func (s *Server) reopen(ctx context.Context, store string, c cursor) (*snapshot, error) {
	if info, err := s.node.Store(ctx, store); err != nil {
		return nil, err
	} else if info.ID != c.Store {
		return nil, cursorProblem(api.ForeignCursor, "the cursor is of another store", nil)
	}
	view, err := s.view(ctx, store, raftstore.AtExactSnapshot(c.Revision), true)
	if errors.Is(err, raftstore.ErrRevisionUnavailable) {
		return nil, cursorProblem(api.HistoryExpired, "the revision of the cursor is no longer kept", nil)
	}
	if err != nil {
		return nil, err
	}
	return s.snapshot(ctx, view, c.instant())
}

func (s *Server) snapshot(ctx context.Context, view *raftstore.View, now time.Time) (*snapshot, error) {
	token, err := s.node.Token(view.Revision())
	if err != nil {
		view.Close()
		return nil, err
	}
	now = now.UTC()
	return &snapshot{View: view, pace: s.lane.pace(ctx), now: now, evaluated: api.Evaluated{Token: token, EvaluatedAt: now}}, nil
}

// consistency reads the one-of object.
func (s *Server) consistency(wanted *api.Consistency) (raftstore.Consistency, error) {
	if wanted == nil {
		return raftstore.MinimizeLatency(), nil
	}
	var (
		found   int
		out     raftstore.Consistency
		pointer string
		err     error
	)
	if wanted.MinimizeLatency != nil {
		found, out = found+1, raftstore.MinimizeLatency()
	}
	if wanted.FullyConsistent != nil {
		found, out = found+1, raftstore.FullyConsistent()
	}
	revision := func(name string, at *api.AtRevision, make func(tuple.Revision) raftstore.Consistency) {
		if at == nil {
			return
		}
		found++
		r, e := s.node.ParseToken(at.Token)
		if e != nil {
			pointer, err = "/consistency/"+name+"/token", e
		}
		out = make(r)
	}
	revision("at_least_as_fresh", wanted.AtLeastAsFresh, raftstore.AtLeastAsFresh)
	revision("at_exact_snapshot", wanted.AtExactSnapshot, raftstore.AtExactSnapshot)
	if found != 1 {
		return out, api.Faults{{Code: api.InvalidValue, Pointer: "/consistency", Message: "a consistency has exactly one member",
			Expected: "minimize_latency, at_least_as_fresh, at_exact_snapshot or fully_consistent"}}.Problem()
	}
	if err != nil {
		return out, tokenProblem(pointer, err)
	}
	return out, nil
}

// tokenProblem names the place of a token that cannot be read.
func tokenProblem(pointer string, err error) error {
	code := api.InvalidToken
	switch {
	case errors.Is(err, raftstore.ErrTokenOtherCluster):
		code = api.ForeignToken
	case !errors.Is(err, raftstore.ErrTokenMalformed):
		return err
	}
	return api.Faults{{Code: code, Pointer: pointer, Message: err.Error()}}.Problem()
}

// brought is what a request brings along: context and tuples of its own.
type brought struct {
	context    condition.Request
	contextual []tuple.Tuple
}

// bring checks the form of what a request brings; faults lie under pointer.
func (s *Server) bring(wire api.Brought) (brought, api.Faults) {
	var (
		out    brought
		faults api.Faults
	)
	if wire.Context != nil {
		request, err := condition.NewRequest(wire.Context, time.Time{})
		if err != nil {
			faults = append(faults, api.Fault{Code: api.InvalidValue, Pointer: "/context", Message: err.Error()})
		} else {
			out.context = *request
		}
	}
	if len(wire.ContextualTuples) > s.limits.ContextualTuples {
		faults = append(faults, tooMany("/contextual_tuples", "contextual tuples", len(wire.ContextualTuples), s.limits.ContextualTuples, "contextual_tuples"))
		return out, faults
	}
	for i, text := range wire.ContextualTuples {
		t, wrong := text.Tuple()
		faults = append(faults, wrong.Under("/contextual_tuples/"+itoa(i))...)
		out.contextual = append(out.contextual, t)
	}
	return out, faults
}

// engineView is what the engine walks for this request. Contextual tuples are
// judged as a write would judge them, all of them at once.
func (s *Server) engineView(snap *snapshot, with brought) (engine.View, error) {
	module, err := snap.Module()
	if err != nil {
		return engine.View{}, err
	}
	if module == nil {
		return engine.View{}, engine.ErrNoSchema
	}
	if err := s.approach(snap); err != nil {
		return engine.View{}, err
	}
	view := engine.View{Schema: module.Schema, Reader: snap.View, Now: snap.now, Contextual: with.contextual,
		Limits: engine.Limits{Nodes: s.config.EvaluationNodes}}
	if with.context.Values != nil {
		given := with.context
		view.Context = &given
	}
	if len(with.contextual) == 0 {
		return view, nil
	}
	view.Admission = module.Admitter
	var faults api.Faults
	for i, t := range with.contextual {
		if refusal := view.Admission.Admit(t); refusal != nil && len(faults) < maxFaults {
			faults = append(faults, refusalFault("/contextual_tuples/"+itoa(i), refusal))
		}
	}
	return view, faults.Err()
}

// approach makes the past ready to be walked. It may take seconds, a core and the
// memory of an index, whoever asks, so few do it at once.
func (s *Server) approach(snap *snapshot) error {
	if !snap.Distant() {
		return nil
	}
	if err := s.past.sit(snap.pace.Context); err != nil {
		return err
	}
	defer s.past.stand()
	return snap.Approach()
}

// places are the members of a question, for faults that the engine finds in it:
// it knows names alone.
type places struct {
	objectType string // of the object that is asked about
	object     string // pointer to it
	permission string // that is asked for
	subject    string // pointer to the subject
}

// of gives a fault of the engine its pointer.
func (p places) of(err error) error {
	var unknown *engine.NameError
	if err == nil || !errors.As(err, &unknown) {
		return err
	}
	switch {
	case unknown.What == "type" && unknown.Name == p.objectType:
		return api.Faults{nameFault(p.object, api.UnknownType, unknown)}.Problem()
	case unknown.What == "type":
		return api.Faults{nameFault(p.subject, api.UnknownType, unknown)}.Problem()
	case unknown.Type == p.objectType && unknown.Name == p.permission:
		return api.Faults{nameFault("/permission", api.UnknownRelation, unknown)}.Problem()
	}
	return api.Faults{nameFault(p.subject, api.UnknownRelation, unknown)}.Problem()
}

// placesOf are those of a check.
func placesOf(q engine.Question) places {
	return places{objectType: q.Object.Type, object: "/object", permission: q.Permission, subject: "/subject"}
}

func nameFault(pointer string, code api.Code, unknown *engine.NameError) api.Fault {
	fault := api.Fault{Code: code, Pointer: pointer, Message: fmt.Sprintf("the schema has no type %q", tuple.Clip(unknown.Name))}
	if code == api.UnknownRelation {
		fault.Message = fmt.Sprintf("type %s has no relation or permission %q", unknown.Type, tuple.Clip(unknown.Name))
	}
	if unknown.Suggestion != "" {
		fault.Suggestion = fmt.Sprintf("did you mean %q?", unknown.Suggestion)
	}
	return fault
}
