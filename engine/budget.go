package engine

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits bounds the work of one request. Past a limit the request is a
// *BudgetError, never an answer; so is each question of CheckAll that is not
// answered yet.
type Limits struct {
	Nodes    int       // most distinct object#relation pairs that one question may hold; 0 is DefaultNodes
	Steps    int       // most edges and pairs that all questions may look at; 0 is DefaultSteps
	Deadline time.Time // when the time is up; zero: the context alone says
}

// The bounds where Limits says nothing: at worst about half a gigabyte, and
// some ten seconds of one core.
const (
	DefaultNodes = 4_000_000
	DefaultSteps = 200_000_000
)

// ErrBudget says that a request needed more work than its Limits allow. It comes
// as a *BudgetError; the answer is not known.
var ErrBudget = errors.New("the request needs more work than its limit allows")

// Budget is what a request may spend.
type Budget string

// What there is to spend.
const (
	BudgetNodes Budget = "nodes"
	BudgetSteps Budget = "steps"
	BudgetTime  Budget = "time"
)

// BudgetError says which limit was reached. It is an ErrBudget.
type BudgetError struct {
	Of    Budget
	Limit int // for BudgetNodes and BudgetSteps
}

// Error names the limit and says what to do.
func (e *BudgetError) Error() string {
	switch e.Of {
	case BudgetTime:
		return fmt.Sprintf("%v: its time is up; ask about less, or allow more time", ErrBudget)
	case BudgetSteps:
		return fmt.Sprintf("%v: more than %d edges and pairs to look at; ask about less, or raise the limit", ErrBudget, e.Limit)
	}
	return fmt.Sprintf("%v: more than %d distinct object#relation pairs; ask about less, or raise the limit", ErrBudget, e.Limit)
}

// Unwrap returns ErrBudget.
func (e *BudgetError) Unwrap() error { return ErrBudget }

func budgetError(limit int) error { return &BudgetError{Of: BudgetNodes, Limit: limit} }

// stride is how many steps are taken between two looks at the clock, the context
// and the purse.
const stride = 256

// purse holds the steps that a request has left.
type purse struct {
	left     int
	limit    int
	deadline time.Time
}

func (p *purse) fill(l Limits) {
	p.limit, p.deadline = l.Steps, l.Deadline
	if p.limit <= 0 {
		p.limit = DefaultSteps
	}
	p.left = p.limit
}

// take lets an evaluation take some more steps before it asks again.
func (p *purse) take(e *evaluation) error {
	if p.late() {
		return &BudgetError{Of: BudgetTime}
	}
	more := min(p.left, stride)
	if more == 0 {
		return &BudgetError{Of: BudgetSteps, Limit: p.limit}
	}
	p.left -= more
	e.pause = max(e.steps, 1) - 1 + uint(more)
	return nil
}

// late says whether the time is up.
func (p *purse) late() bool { return !p.deadline.IsZero() && time.Now().After(p.deadline) }

// pace counts a step of work: an edge or a pair that is looked at. Now and then it
// asks whether the request still stands.
func (e *evaluation) pace() error {
	if e.steps++; e.steps <= e.pause {
		return nil
	}
	return e.pay()
}

// pay says why a request is over: its context's cause, or its budget is spent.
func (e *evaluation) pay() error {
	if e.ctx.Err() != nil {
		return context.Cause(e.ctx)
	}
	return e.purse.take(e)
}
