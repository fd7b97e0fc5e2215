package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/bench/target"
)

// How many lists are asked for, and the clients that ask.
const (
	objectLists  = 10
	subjectLists = 20
	pageEntries  = 100
	batchClients = 4
	greedy       = 1
)

// clients are how many check at once: in process no more than there are cores,
// for the others would only wait for them.
func (r *runner) clients(t target.Target) []int {
	if t.Name() != InProcess {
		return r.Clients
	}
	return slices.Compact([]int{1, runtime.GOMAXPROCS(0)})
}

// stepsOf is about how many runs a target takes, for the progress alone.
func (r *runner) stepsOf(t target.Target) int {
	checks := len(r.clients(t))
	if s, ok := r.Dataset.(shaped); ok {
		checks = len(s.Shapes())
	} else if r.hasCeiling(t) {
		checks *= 2
	}
	_, full := r.Dataset.(dataset.Full)
	n := 0
	for _, name := range r.Operations {
		switch {
		case name == OpCheck:
			n += checks
		case name == OpRate || name == OpBatch:
			n++
		case !full || t.Name() == InProcess && slices.Contains([]string{OpWrite, OpBulk, OpMixed, OpNeighbour}, name):
		case name == OpWrite || name == OpMixed || name == OpNeighbour:
			n += 2
		default:
			n++
		}
	}
	return n * r.Runs
}

func (r *runner) hasCeiling(t target.Target) bool { return r.Ceiling != "" && t.Name() != InProcess }

func (r *runner) attempt(t target.Target, name string) error {
	if name == OpCheck {
		return r.checks(t)
	}
	if name == OpBatch {
		op, err := most(r.Batch, func(items int) (load.Operation, error) { return t.Batches(r.questions, items) })
		return r.simple(t, name, op, err, batchClients)
	}
	if name == OpRate {
		return r.rate(t)
	}
	full, ok := r.Dataset.(dataset.Full)
	if !ok {
		return fmt.Errorf("the dataset is for checks alone: %w", errors.ErrUnsupported)
	}
	switch name {
	case OpObjects:
		op, err := t.Objects(r.objectLists(full), 0)
		return r.simple(t, name, op, err, 1)
	case OpPage:
		op, err := t.Objects(r.objectLists(full), pageEntries)
		return r.simple(t, name, op, err, 1)
	case OpSubjects:
		op, err := t.Subjects(r.subjectLists(full))
		return r.simple(t, name, op, err, 1)
	case OpWrite:
		op, err := t.Writes(full, 1)
		return r.simple(t, name, op, err, 1, slices.Max(r.Clients))
	case OpBulk:
		op, err := most(r.Bulk, func(tuples int) (load.Operation, error) { return t.Writes(full, tuples) })
		return r.simple(t, name, op, err, batchClients)
	case OpMixed:
		return r.mixed(t, full)
	case OpNeighbour:
		return r.neighbour(t, full)
	}
	return fmt.Errorf("bench: there is no operation %q", name)
}

// objectLists are made once, for their answers take a while to find out.
func (r *runner) objectLists(full dataset.Full) []dataset.ObjectList {
	if r.objects == nil {
		r.Progress(Step{What: "finding the lists of objects"})
		r.objects = full.ObjectLists(r.Seed, objectLists)
	}
	return r.objects
}

func (r *runner) subjectLists(full dataset.Full) []dataset.SubjectList {
	if r.subjects == nil {
		r.Progress(Step{What: "finding the lists of subjects"})
		r.subjects = full.SubjectLists(r.Seed, subjectLists)
	}
	return r.subjects
}

// most asks for an operation with so many items, and with ever fewer where the
// target takes no more.
func most(items int, make func(int) (load.Operation, error)) (load.Operation, error) {
	op, err := make(items)
	for _, fewer := range []int{100, 50} {
		if errors.Is(err, errors.ErrUnsupported) && fewer < items {
			op, err = make(fewer)
		}
	}
	return op, err
}

func (r *runner) simple(t target.Target, kind string, op load.Operation, err error, clients ...int) error {
	if err != nil {
		return err
	}
	for _, n := range slices.Compact(clients) {
		if err := r.measure(t.Name(), planned{kind, op, r.plan(n)}); err != nil {
			return err
		}
	}
	return nil
}

// shaped is a dataset of several graphs, each measured by itself.
type shaped interface{ Shapes() []dataset.Shape }

func (r *runner) checks(t target.Target) error {
	if s, ok := r.Dataset.(shaped); ok {
		for _, shape := range s.Shapes() {
			op, err := t.Checks(shape.Questions)
			op.Name = "check, " + shape.Says
			if err := r.simple(t, OpCheck, op, err, 1); err != nil {
				return err
			}
		}
		return nil
	}
	op, err := t.Checks(r.questions)
	if err != nil {
		return err
	}
	for _, n := range r.clients(t) {
		rounds := []planned{{OpCheck, op, r.plan(n)}}
		if r.hasCeiling(t) {
			ceiling, err := target.Ceiling(r.Ceiling, r.questions[:min(len(r.questions), 10_000)])
			if err != nil {
				return err
			}
			rounds = append(rounds, planned{kindCeiling, ceiling, r.plan(n)})
		}
		if err := r.measure(t.Name(), rounds...); err != nil {
			return err
		}
	}
	return nil
}

// InProcess is the name of the target without a server, which has no ceiling.
const InProcess = "in process"

const kindCeiling = "ceiling"

// rate sends what arrives at half of the rate that the checks have reached, or at
// the configured one.
func (r *runner) rate(t target.Target) error {
	op, err := t.Checks(r.questions)
	if err != nil {
		return err
	}
	plan := r.plan(slices.Max(r.clients(t)))
	if plan.Rate = r.Rate; plan.Rate == 0 {
		for _, m := range r.report.Measurements {
			if m.Target == t.Name() && m.Kind == OpCheck {
				plan.Rate = max(plan.Rate, m.PerSecond/2)
			}
		}
	}
	if plan.Rate == 0 {
		return fmt.Errorf("no check was measured, so that there is no rate to take half of: %w", errors.ErrUnsupported)
	}
	op.Name = "check at a fixed rate"
	return r.measure(t.Name(), planned{OpRate, op, plan})
}

// mixed measures checks and checks with writes in turn.
func (r *runner) mixed(t target.Target, full dataset.Full) error {
	pure, err := t.Checks(r.questions)
	if err != nil {
		return err
	}
	pure.Name = "check, without the writes"
	mixed, err := t.Mixed(full, r.questions, r.Writes)
	if err != nil {
		return err
	}
	plan := r.plan(slices.Max(r.Clients))
	return r.measure(t.Name(), planned{kindPure, pure, plan}, planned{OpMixed, mixed, plan})
}

// neighbour measures checks alone and beside a client that asks for whole lists
// without a pause, in turn.
func (r *runner) neighbour(t target.Target, full dataset.Full) error {
	if t.Name() == InProcess {
		return fmt.Errorf("neighbours share a server: %w", errors.ErrUnsupported)
	}
	alone, err := t.Checks(r.questions)
	if err != nil {
		return err
	}
	costly, err := t.Objects(r.objectLists(full), 0)
	if err != nil {
		return err
	}
	alone.Name = "check, without the neighbour"
	beside := alone
	beside.Name = "check beside a greedy neighbour"
	beside.Client = func(i int) (load.Client, error) {
		c, err := alone.Client(i)
		if i >= greedy || err != nil {
			return c, err
		}
		return r.besides(c, costly)
	}
	plan := r.plan(16)
	return r.measure(t.Name(), planned{kindAlone, alone, plan}, planned{OpNeighbour, beside, plan})
}

// What is measured only to compare with.
const (
	kindPure  = "without writes"
	kindAlone = "without neighbour"
)

// besides gives a client a neighbour that is as greedy as can be until the client
// is closed.
func (r *runner) besides(c load.Client, costly load.Operation) (load.Client, error) {
	ctx, stop := context.WithCancel(r.ctx)
	n := &neighboured{Client: c, stop: stop, ended: make(chan struct{})}
	other, err := costly.Client(0)
	if err != nil {
		stop()
		return nil, errors.Join(err, c.Close())
	}
	go func() {
		defer close(n.ended)
		defer other.Close()
		for ctx.Err() == nil {
			if other.Do(ctx) != nil { // refused: that is an answer to greed
				time.Sleep(time.Millisecond)
			}
		}
	}()
	return n, nil
}

type neighboured struct {
	load.Client
	stop  context.CancelFunc
	ended chan struct{}
}

// Close stops the neighbour and closes the client.
func (n *neighboured) Close() error {
	n.stop()
	<-n.ended
	return n.Client.Close()
}
