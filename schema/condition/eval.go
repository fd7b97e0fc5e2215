package condition

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/pemba-authz/pemba/schema/condition/value"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// Eval evaluates the condition for a tuple: its context wins over the request's.
// A parameter that neither gives matters only where the result depends on it, and
// so does a value of the wrong type: false && missing is false, true || wrong is
// true. The error is an *EvalError.
func (p *Program) Eval(tupleContext tuple.Context, request *Request) (Result, error) {
	if p == nil || p.program == nil {
		return Result{}, &EvalError{Code: CodeEval, Reason: "the condition was not compiled"}
	}
	if request == nil {
		request = &Request{}
	}
	return p.evaluate(p.context(tupleContext), request)
}

// slot is the value that a context gives a parameter.
type slot struct {
	given bool
	raw   []byte
	value ref.Val
	err   *EvalError // the value has the wrong type: an error once it is read
}

func (p *Program) decode(values map[string][]byte) []slot {
	slots := make([]slot, len(p.Params))
	for i, param := range p.Params {
		raw, ok := values[param.Name]
		if !ok || !p.used[i] {
			continue
		}
		slots[i] = slot{given: true, raw: raw}
		v, err := p.types[i].Decode(raw)
		if err != nil {
			slots[i].err = p.mismatch(param, err)
			continue
		}
		slots[i].value = celValue(v)
	}
	return slots
}

func (p *Program) mismatch(param Param, err error) *EvalError {
	e := &EvalError{Code: CodeValue, Condition: p.Name, Parameter: param.Name, Expected: param.Type, Reason: err.Error(), cause: err}
	var mismatch *value.MismatchError
	if errors.As(err, &mismatch) {
		e.Kind, e.Expected = mismatch.Kind, mismatch.Type
	}
	return e
}

// contextCache keeps decoded tuple contexts over requests, for many tuples carry
// the same one. It is a table of fixed size without locks; a context that meets
// another in its place replaces it, and whole texts are compared.
type contextCache [32]atomic.Pointer[decodedContext]

type decodedContext struct {
	text  tuple.Context
	slots []slot
	err   *EvalError
}

var seed = maphash.MakeSeed()

// maxCachedContext keeps long contexts out of the cache, to bound its memory.
const maxCachedContext = 256

func (p *Program) context(text tuple.Context) *decodedContext {
	if text == "" {
		return nil
	}
	place := &p.decoded[maphash.String(seed, string(text))%uint64(len(p.decoded))]
	if d := place.Load(); d != nil && d.text == text {
		return d
	}
	d := &decodedContext{text: text}
	values, err := members([]byte(text))
	if err != nil {
		d.err = &EvalError{Code: CodeValue, Condition: p.Name, Expected: "a JSON object", Kind: "no JSON",
			Reason: "the context of the tuple is not valid JSON", cause: err}
	} else {
		d.slots = p.decode(values)
	}
	if len(text) <= maxCachedContext {
		place.Store(d)
	}
	return d
}

// activation gives CEL the values of one evaluation.
type activation struct {
	program *Program
	tuple   []slot
	request []slot
	now     time.Time
	values  map[string]string // nil where nobody asks for them
}

var activations = sync.Pool{New: func() any { return new(activation) }}

// Parent returns nil: there is no outer scope.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName returns a parameter's value, the error that its value is, or CEL's
// unknown when nobody gave one.
func (a *activation) ResolveName(name string) (any, bool) {
	if name == instant {
		return a.instant(), true
	}
	for i := range a.program.Params {
		if a.program.Params[i].Name != name {
			continue
		}
		s := &a.request[i]
		if a.tuple != nil && a.tuple[i].given {
			s = &a.tuple[i]
		}
		switch {
		case !s.given:
			return types.NewUnknown(int64(i)+1, types.NewAttributeTrail(name)), true
		case a.values != nil:
			a.values[name] = string(s.raw)
		}
		if s.err != nil {
			return types.WrapErr(s.err), true
		}
		return s.value, true
	}
	return nil, false
}

func (a *activation) instant() ref.Val {
	if a.now.IsZero() {
		return types.WrapErr(&EvalError{Code: CodeEval, Condition: a.program.Name, Reason: "now() has no value: the request carries no instant"})
	}
	if a.values != nil {
		a.values["now()"] = `"` + a.now.UTC().Format(time.RFC3339Nano) + `"`
	}
	return types.Timestamp{Time: a.now.UTC()}
}

func (p *Program) evaluate(context *decodedContext, request *Request) (Result, error) {
	a := activations.Get().(*activation)
	defer func() {
		*a = activation{}
		activations.Put(a)
	}()
	a.program, a.request, a.now = p, request.slots(p), request.Now
	if context != nil {
		if context.err != nil {
			return Result{}, context.err
		}
		a.tuple = context.slots
	}
	if request.Trace {
		a.values = map[string]string{}
	}
	out, _, err := p.program.Eval(a)
	if err != nil {
		return Result{Values: a.values}, p.evalError(err)
	}
	switch out := out.(type) {
	case types.Bool:
		return Result{Holds: bool(out), Values: a.values}, nil
	case *types.Unknown:
		return Result{Missing: p.missing(out), Values: a.values}, nil
	default:
		return Result{}, &EvalError{Code: CodeEval, Condition: p.Name, Reason: fmt.Sprintf("the expression was a %s, not a bool", out.Type().TypeName())}
	}
}

// missing names the parameters that an unknown result depends on.
func (p *Program) missing(unknown *types.Unknown) []string {
	names := map[string]bool{}
	for _, id := range unknown.IDs() {
		trails, _ := unknown.GetAttributeTrails(id)
		for _, trail := range trails {
			names[trail.Variable()] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (p *Program) evalError(err error) error {
	var own *EvalError
	if errors.As(err, &own) {
		named := *own // it may come from the request's cache, or from a function that knows no condition
		named.Condition = p.Name
		return &named
	}
	e := &EvalError{Code: CodeEval, Condition: p.Name, Reason: tuple.Clip(strings.TrimPrefix(err.Error(), "internal error: ")), cause: err}
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		e.Code = CodeTooCost
		e.Reason = fmt.Sprintf("the evaluation took too long: it cost more than %d", MaxCost)
	}
	return e
}
