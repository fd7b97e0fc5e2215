package server

import (
	"context"
	"net/http"
	"time"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/impact"
	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// diffSchema answers POST …/schema/diff: what writing the schema would change,
// over the tuples of one revision. Nothing is written.
func (s *Server) diffSchema(w http.ResponseWriter, r *http.Request) error {
	var request api.DiffSchemaRequest
	if err := s.readSchema(w, r, &request, &request.SchemaSource); err != nil {
		return err
	}
	if request.ChangesOnly && request.Impact {
		return api.Faults{{Code: api.InvalidValue, Pointer: "/impact", Message: "impact looks at the tuples, and changes_only does not", Suggestion: "leave one of them out"}}.Problem()
	}
	made, err := s.compile(r.Context(), request.SchemaSource)
	if err != nil {
		return err
	}
	snap, err := s.open(r.Context(), r.PathValue("store"), request.Moment)
	if err != nil {
		return err
	}
	defer snap.Close()
	before, err := snap.Module()
	if err != nil {
		return err
	}
	if before == nil { // what a store without a schema admits: nothing
		before = &schema.Module{Schema: schema.New(made.module.Schema.Language, nil, nil)}
	}
	out := api.DiffSchemaResponse{Changes: []api.SchemaChange{}, Warnings: made.warnings, Evaluated: snap.evaluated}
	for _, c := range schema.Diff(before.Schema, made.module.Schema) {
		out.Breaking = out.Breaking || c.Breaking
		out.Changes = append(out.Changes, wireChange(c))
	}
	if !request.ChangesOnly {
		if out.Tests, err = s.regressions(&snap.pace, before, made.module, snap.now); err != nil {
			return err
		}
		change := impact.Change{Before: before.Schema, After: made.module, Tuples: snap.Tuples(tuple.Filter{}, nil), Now: snap.now,
			Limits: impact.Limits{Nodes: s.config.EvaluationNodes}}
		if err := s.compare(&snap.pace, change, request.Impact, &out); err != nil {
			return err
		}
	}
	snap.pace.leave()
	return respond(w, http.StatusOK, out)
}

// regressions runs the tests that the store's schema was saved with.
func (s *Server) regressions(ctx context.Context, before, after *schema.Module, now time.Time) ([]api.Regression, error) {
	found, err := scenario.Regressions(ctx, before, after, scenario.Options{Now: now, Limits: engine.Limits{Nodes: s.config.EvaluationNodes}})
	if err != nil {
		return nil, err
	}
	var wire []api.Regression
	for _, r := range found {
		wire = append(wire, api.Regression(r))
	}
	return wire, nil
}

// compare finds the orphans and the flips.
func (s *Server) compare(ctx context.Context, change impact.Change, flips bool, out *api.DiffSchemaResponse) error {
	found, err := impact.Compare(ctx, change)
	if err != nil {
		return err
	}
	out.OrphanCount = len(found.Orphans)
	for _, o := range found.Orphans[:min(len(found.Orphans), s.limits.DefaultPageEntries)] {
		code, ok := refusals[o.Code]
		if !ok {
			code = api.InvalidTuple
		}
		out.Orphans = append(out.Orphans, api.Orphan{Tuple: api.FromTuple(o.Tuple), Code: code, Message: o.Message})
	}
	if !flips {
		return nil
	}
	for flip, err := range found.Flips(ctx) {
		if err != nil {
			return err
		}
		if len(out.Flips) == s.limits.DefaultPageEntries {
			out.MoreFlips = true
			break
		}
		out.Flips = append(out.Flips, api.Flip{Object: flip.Object.String(), Permission: flip.Permission, Subject: flip.Subject.String(),
			Before: result(flip.Before), After: result(flip.After)})
	}
	return nil
}

func wireChange(c schema.Change) api.SchemaChange {
	out := api.SchemaChange{Code: c.Code, Name: c.Name, Detail: c.Detail, Breaking: c.Breaking, Effect: string(c.Effect)}
	if c.Place != (source.Place{}) {
		out.Place = c.Place.String()
	}
	return out
}
