package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/engine/impact"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server/api"
)

// sentinels maps errors to codes: the first that errors.Is finds counts.
var sentinels = []struct {
	err  error
	code api.Code
}{
	{raftstore.ErrOutcomeUnknown, api.OutcomeUnknown},
	{raftstore.ErrNotLeader, api.NoLeader},
	{raftstore.ErrOverloaded, api.Overloaded},
	{raftstore.ErrTooLarge, api.WriteTooLarge},
	{raftstore.ErrHalted, api.StorageFailed},
	{raftstore.ErrDiffers, api.StorageFailed},
	{raftstore.ErrRebuilding, api.NotReady},
	{raftstore.ErrClosed, api.NotReady},
	{raftstore.ErrNotReady, api.NotReady},
	{raftstore.ErrNotMember, api.NotReady},
	{raftstore.ErrTokenMalformed, api.InvalidToken},
	{raftstore.ErrTokenOtherCluster, api.ForeignToken},
	{raftstore.ErrTokenAhead, api.TokenAhead},
	{raftstore.ErrRevisionTimeout, api.RevisionTimeout},
	{raftstore.ErrRevisionUnavailable, api.HistoryExpired},
	{raftstore.ErrSealed, api.InvalidCursor},
	{raftstore.ErrFeatureLevel, api.FeatureLevel},
	{raftstore.ErrUnknownMember, api.UnknownNode},
	{raftstore.ErrLastMember, api.LastMember},
	{raftstore.ErrQuorumAtRisk, api.QuorumAtRisk},
	{raftstore.ErrLagging, api.MemberLagging},
	{raftstore.ErrTransfer, api.TransferFailed},
	{raftstore.ErrStoreDeleted, api.StoreDeleted},
	{raftstore.ErrJoinTokenLife, api.InvalidValue},
	{raftstore.ErrJoinTokenMissing, api.JoinRefused},
	{raftstore.ErrJoinTokenMalformed, api.JoinRefused},
	{raftstore.ErrJoinTokenOtherCluster, api.JoinRefused},
	{raftstore.ErrJoinTokenUnknown, api.JoinRefused},
	{raftstore.ErrJoinTokenExpired, api.JoinRefused},
	{raftstore.ErrJoinTokenUsed, api.JoinRefused},
	{raftstore.ErrJoinTokenReplica, api.JoinRefused},
	{raftstore.ErrOtherCluster, api.JoinRefused},
	{raftstore.ErrNameTaken, api.JoinRefused},
	{raftstore.ErrCertificate, api.NoLeader}, // between members, who try again
	{raftstore.ErrProtocol, api.NoLeader},
	{raftstore.ErrInsecurePort, api.NotReady}, // such a node does not start
	{raftstore.ErrNewerData, api.NotReady},
	{raftstore.ErrRecoveryUnderWay, api.NotReady},
	{raftstore.ErrRecoveryUnconfirmed, api.InvalidValue}, // a command on a folder asks for it, and no request
	{raftstore.ErrRecoveryNeedless, api.InvalidValue},
	{engine.ErrBudget, api.BudgetExceeded},
	{engine.ErrNoSchema, api.NoSchema},
	{impact.ErrTooLarge, api.BudgetExceeded},
	{state.ErrHistoryBudget, api.BudgetExceeded},
	{state.ErrCorrupt, api.StorageFailed},
	{state.ErrClosed, api.NotReady},
	{context.DeadlineExceeded, api.DeadlineExceeded},
	{context.Canceled, api.Cancelled},
}

// rejections maps the codes of apply.
var rejections = map[command.Code]api.Code{
	command.CodeStoreNotFound:         api.UnknownStore,
	command.CodeStoreNameInvalid:      api.InvalidStoreName,
	command.CodeStoreIndexDiffers:     api.StoreIndexDiffers,
	command.CodeSchemaMissing:         api.NoSchema,
	command.CodeSchemaConflict:        api.SchemaChanged,
	command.CodeSchemaInvalid:         api.InvalidSchema,
	command.CodeOrphanedTuples:        api.OrphanedTuples,
	command.CodeTupleExists:           api.TupleExists,
	command.CodeTupleInvalid:          api.InvalidTuple,
	command.CodeDuplicateOperation:    api.DuplicateTuple,
	command.CodeAtMost:                api.AtMost,
	command.CodePreconditionFailed:    api.PreconditionFailed,
	command.CodePreconditionTooOld:    api.PreconditionTooOld,
	command.CodePreconditionTooBroad:  api.PreconditionTooBroad,
	command.CodeIdempotencyMismatch:   api.IdempotencyMismatch,
	command.CodeOutcomeUnknownExpired: api.OutcomeUnknownExpired,
	command.CodeFeatureLevel:          api.FeatureLevel,
	command.CodeFloorAhead:            api.HistoryExpired,
	command.CodeClusterExists:         api.Internal, // no request of HTTP asks for it
	command.CodeMemberInvalid:         api.Internal, // nor for this
	command.CodeJoinTokenUnknown:      api.Internal, // nor for using a join token
	command.CodeJoinTokenExpired:      api.Internal,
	command.CodeJoinTokenUsed:         api.Internal,
	command.CodeTooManyJoinTokens:     api.TooMany,
}

// refusals maps the codes of admission.
var refusals = map[schema.RefusalCode]api.Code{
	schema.CodeUnknownType:          api.UnknownType,
	schema.CodeUnknownRelation:      api.UnknownRelation,
	schema.CodeNotARelation:         api.NotARelation,
	schema.CodeSubjectNotAdmitted:   api.SubjectNotAdmitted,
	schema.CodeUnknownCondition:     api.UnknownCondition,
	schema.CodeConditionRequired:    api.ConditionRequired,
	schema.CodeConditionNotAdmitted: api.ConditionNotAdmitted,
	schema.CodeExpiryRequired:       api.ExpiryRequired,
	schema.CodeExpiryNotAdmitted:    api.ExpiryNotAdmitted,
	schema.CodeSealed:               api.Sealed,
	schema.CodeAtMost:               api.AtMost,
	schema.CodeNotTheSingleton:      api.Singleton,
	schema.CodeSelfTuple:            api.SelfTuple,
	schema.CodeContextUnknownKey:    api.ContextUnknownKey,
	schema.CodeContextType:          api.ContextType,
}

// problem turns any error into the document that the client gets. What it does
// not know is the server's fault: it is logged, and the client is told no detail.
func (s *Server) problem(route string, err error) *api.Problem {
	if problem := typed(err); problem != nil {
		return problem
	}
	for _, known := range sentinels {
		if errors.Is(err, known.err) {
			return sentinelProblem(known.code, err)
		}
	}
	s.config.Logger.Error("a request failed", "route", route, "error", err)
	return api.NewProblem(api.Internal, "the request failed inside the server; its log says why")
}

func sentinelProblem(code api.Code, err error) *api.Problem {
	if errors.Is(err, raftstore.ErrNotMember) {
		return api.NewProblem(code, raftstore.ErrNotMember.Error())
	}
	switch code {
	case api.DeadlineExceeded:
		return api.NewProblem(code, "the request did not finish in time (request_millis of /v1/limits); nothing is known of its answer")
	case api.StorageFailed, api.NotReady:
		entry, _ := api.Catalogue(code)
		return api.NewProblem(code, entry.Title+"; ask another node, or again later")
	}
	return api.NewProblem(code, err.Error())
}

// typed returns the problem of an error that says what is wrong in its own
// fields; nil for others.
func typed(err error) *api.Problem {
	if problem := api.AsProblem(err); problem != nil {
		return problem
	}
	var (
		diagnostics source.Diagnostics
		diagnostic  *source.Diagnostic
		contextual  *engine.ContextualError
		refusal     *schema.Refusal
		rejection   *command.Rejection
		name        *engine.NameError
		singleton   *engine.SingletonError
		condition   *engine.ConditionError
	)
	switch {
	case errors.As(err, &diagnostics):
		return schemaProblem(diagnostics)
	case errors.As(err, &diagnostic):
		return schemaProblem(source.Diagnostics{diagnostic})
	case errors.As(err, &rejection):
		return rejectionProblem(rejection)
	case errors.As(err, &contextual):
		return contextualProblem(contextual)
	case errors.As(err, &refusal):
		return api.Faults{refusalFault("", refusal)}.Problem()
	case errors.As(err, &name):
		code := api.UnknownRelation
		if name.What == "type" {
			code = api.UnknownType
		}
		return api.Faults{nameFault("", code, name)}.Problem()
	case errors.As(err, &singleton):
		return api.Faults{{Code: api.Singleton, Message: singleton.Error()}}.Problem()
	case errors.As(err, &condition):
		return api.NewProblem(api.ConditionFailed, condition.Error())
	}
	return nil
}

func refusalFault(pointer string, refusal *schema.Refusal) api.Fault {
	code, ok := refusals[refusal.Code]
	if !ok {
		code = api.InvalidTuple
	}
	if refusal.Field == "context" {
		pointer += "/condition/context"
	} else if refusal.Field != "" {
		pointer += "/" + refusal.Field
	}
	return api.Fault{Code: code, Pointer: pointer, Message: refusal.Tuple.Key.String() + ": " + refusal.Message,
		Expected: refusal.Expected, Suggestion: refusal.Suggestion}
}

func contextualProblem(contextual *engine.ContextualError) *api.Problem {
	pointer := "/contextual_tuples/" + strconv.Itoa(contextual.Index)
	var refusal *schema.Refusal
	if errors.As(contextual.Err, &refusal) {
		return api.Faults{refusalFault(pointer, refusal)}.Problem()
	}
	return api.Faults{{Code: api.InvalidTuple, Pointer: pointer, Message: contextual.Err.Error()}}.Problem()
}

// rejectionProblem carries over what apply said. Places are in the operations
// of the request, or in its preconditions.
func rejectionProblem(rejection *command.Rejection) *api.Problem {
	list := rejection.Faults
	if len(list) == 0 {
		list = []command.Rejection{*rejection}
	}
	faults := make(api.Faults, 0, len(list)+len(rejection.Orphans))
	for _, r := range list {
		fault := api.Fault{Code: rejectionCode(r.Code), Message: r.Message, Suggestion: r.Suggestion}
		if r.Operation >= 0 {
			fault.Pointer = "/operations/" + strconv.Itoa(r.Operation)
			switch fault.Code {
			case api.PreconditionFailed, api.PreconditionTooBroad, api.PreconditionTooOld:
				fault.Pointer = "/preconditions/" + strconv.Itoa(r.Operation)
			}
		}
		if r.Operation >= 0 || len(rejection.Orphans) == 0 {
			faults = append(faults, fault)
		}
	}
	for _, o := range rejection.Orphans {
		faults = append(faults, orphanFault(o))
	}
	problem := faults.Problem()
	problem.Detail = rejection.Message
	if rejection.Suggestion != "" {
		problem.Detail += "; " + rejection.Suggestion
	}
	return problem
}

// rejectionCode also knows the codes of admission, which apply passes on.
func rejectionCode(code command.Code) api.Code {
	if mapped, ok := rejections[code]; ok {
		return mapped
	}
	if mapped, ok := refusals[schema.RefusalCode(code)]; ok {
		return mapped
	}
	return api.InvalidTuple
}

func orphanFault(o command.OrphanShape) api.Fault {
	shape := o.Type + "#" + o.Relation + "@" + o.Subject
	if o.Condition != "" {
		shape += " with " + o.Condition
	}
	message := fmt.Sprintf("%d tuples %s would be orphaned: %s", o.Count, shape, o.Reason)
	if o.Count == 1 {
		message = fmt.Sprintf("1 tuple %s would be orphaned: %s", shape, o.Reason)
	}
	if len(o.Examples) > 0 {
		message += ", for example " + o.Examples[0]
	}
	return api.Fault{Code: api.OrphanedTuples, Message: message,
		Suggestion: "delete them first, or write the schema with orphans: delete or ignore"}
}

func schemaProblem(diagnostics source.Diagnostics) *api.Problem {
	faults := diagnosticFaults(diagnostics)
	detail := "the schema has an error"
	if len(diagnostics) > 1 {
		detail = fmt.Sprintf("the schema has %d errors", len(diagnostics))
	}
	if len(faults) > 0 {
		detail += ": " + faults[0].String()
	}
	return api.NewProblem(api.InvalidSchema, detail, faults...)
}

// diagnosticFaults gives diagnostics of schema files their wire form.
func diagnosticFaults(diagnostics source.Diagnostics) api.Faults {
	const most = 1000 // a page of faults helps nobody more
	faults := make(api.Faults, 0, min(len(diagnostics), most))
	for _, d := range diagnostics[:min(len(diagnostics), most)] {
		faults = append(faults, api.Fault{Code: api.Code(d.Code), Message: d.Message, File: d.Place.File, Line: d.Place.Line,
			Column: d.Place.Column, Width: d.Width, Excerpt: d.Excerpt, Expected: d.Expected, Suggestion: d.Suggestion})
	}
	return faults
}
