// Package bench measures Pemba, and other servers beside it, with the same data,
// the same questions and the same client, and compares every answer with one that
// was found out without the engine.
//
// Call Run with a Config; Report has what was measured and is also JSON, and HTML
// writes it as a page with plots.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/bench/dataset"
	"github.com/pemba-authz/pemba/bench/load"
	"github.com/pemba-authz/pemba/bench/target"
)

// Config says what to measure. Targets and Dataset are required.
type Config struct {
	Dataset dataset.Dataset
	Targets []target.Target

	// Ceiling is the URL of a server that answers with a constant, measured in
	// turn with the checks of every server over HTTP. "" is none.
	Ceiling string

	Load       bool          // fill the targets first
	Operations []string      // of Operations; empty is all that the dataset and the target have
	Clients    []int         // of checks over HTTP; empty is 1, 16 and 64. In process they are 1 and one per core
	Rate       float64       // arrivals per second of OpRate; 0 is half of what the checks reached
	Batch      int           // questions of a batch; 0 is 1,000, or the most that the target takes
	Bulk       int           // tuples of a bulk write; 0 is 1,000, or the most that the target takes
	Writes     float64       // share of writes of OpMixed; 0 is 0.01
	Questions  int           // 0 is 100,000; of datasets whose evaluator is slow 10,000
	Seed       uint64        // of the choice of questions
	Warmup     time.Duration // before each run; 200 ms
	Duration   time.Duration // of each run; 600 ms
	Runs       int           // of which the medians are reported; 3

	// Progress is told of every step; nil tells nobody.
	Progress func(Step)
}

// Step is a step of the work: what is under way and how much of it is done.
type Step struct {
	What        string
	Done, Total int
}

// The operations.
const (
	OpCheck     = "check"
	OpRate      = "rate"
	OpBatch     = "batch"
	OpObjects   = "objects"
	OpPage      = "page"
	OpSubjects  = "subjects"
	OpWrite     = "write"
	OpBulk      = "bulk"
	OpMixed     = "mixed"
	OpNeighbour = "neighbour"
)

// Operation says what an operation is, for help texts.
type Operation struct{ Name, Says string }

// Operations lists the operations in the order of measuring.
var Operations = []Operation{
	{OpCheck, "one question per request, each client sends the next when the last is answered"},
	{OpRate, "questions that arrive at a fixed rate, timed from their arrival"},
	{OpBatch, "many questions per request"},
	{OpObjects, "which objects may a user view: whole lists"},
	{OpPage, "which objects may a user view: the first 100"},
	{OpSubjects, "which users may view an object: whole lists"},
	{OpNeighbour, "checks beside a client that asks for the dearest lists without a pause"},
	{OpWrite, "one tuple per request, durable when it is answered"},
	{OpBulk, "many tuples per request"},
	{OpMixed, "checks and writes; two tuples that change together must never be seen apart"},
}

func (c Config) withDefaults() (Config, error) {
	if c.Dataset == nil || len(c.Targets) == 0 {
		return c, errors.New("bench: Config needs a Dataset and Targets")
	}
	if len(c.Operations) == 0 {
		for _, o := range Operations {
			c.Operations = append(c.Operations, o.Name)
		}
	}
	for _, name := range c.Operations {
		if !slices.ContainsFunc(Operations, func(o Operation) bool { return o.Name == name }) {
			return c, fmt.Errorf("bench: there is no operation %q", name)
		}
	}
	if len(c.Clients) == 0 {
		c.Clients = []int{1, 16, 64}
	}
	orDefault(&c.Batch, 1000)
	orDefault(&c.Bulk, 1000)
	orDefault(&c.Writes, 0.01)
	if _, fast := c.Dataset.(dataset.Full); !fast {
		orDefault(&c.Questions, 10_000)
	}
	orDefault(&c.Questions, 100_000)
	orDefault(&c.Warmup, 200*time.Millisecond)
	orDefault(&c.Duration, 600*time.Millisecond)
	orDefault(&c.Runs, 3)
	if c.Progress == nil {
		c.Progress = func(Step) {}
	}
	return c, nil
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run loads the dataset and measures. The error is of what kept it from measuring
// at all; requests that failed or were answered wrong are in the report, and so
// are operations that a target does not have.
func Run(ctx context.Context, config Config) (*Report, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &runner{Config: c, ctx: ctx, report: &Report{At: time.Now().UTC().Truncate(time.Second), Machine: machine(), Dataset: c.Dataset.Name(), Runs: c.Runs}}
	r.Progress(Step{What: "making questions"})
	r.questions = c.Dataset.Questions(c.Seed, c.Questions)
	for _, t := range c.Targets {
		r.steps += r.stepsOf(t)
	}
	for _, t := range c.Targets {
		err := r.load(t)
		if r.skip(t, "everything", err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range c.Operations {
			if err := r.operation(t, name); err != nil {
				return nil, err
			}
		}
	}
	r.report.compare()
	return r.report, nil
}

// runner measures one configuration.
type runner struct {
	Config
	ctx       context.Context
	questions []dataset.Question
	objects   []dataset.ObjectList  // once they are asked for
	subjects  []dataset.SubjectList // once they are asked for
	report    *Report
	measured  int // runs so far
	steps     int // about how many there will be
}

func (r *runner) load(t target.Target) error {
	if !r.Load {
		return nil
	}
	begin, total := time.Now(), 0
	var estimate int
	if sized, ok := r.Dataset.(interface{ Size() int }); ok {
		estimate = sized.Size()
	}
	err := t.Load(r.ctx, r.Dataset, func(tuples int) {
		total = tuples
		r.Progress(Step{What: "loading " + t.Name(), Done: tuples, Total: max(estimate, tuples)})
	})
	if err != nil {
		return err
	}
	took := time.Since(begin)
	r.report.Loads = append(r.report.Loads, Loaded{Target: t.Name(), Tuples: total, Seconds: took.Seconds(), PerSecond: float64(total) / took.Seconds()})
	return nil
}

// plan is a closed loop of so many clients.
func (r *runner) plan(clients int) load.Plan {
	return load.Plan{Clients: clients, Warmup: r.Warmup, Duration: r.Duration}
}

// measure runs operations in turn, each as its plan says and as often as is
// configured, and adds them to the report: what is compared is measured in the
// same minute.
func (r *runner) measure(target string, rounds ...planned) error {
	samples := make([][]load.Sample, len(rounds))
	for range r.Runs {
		for i, p := range rounds {
			r.measured++
			what := p.operation.Name
			if p.plan.Clients > 1 {
				what += fmt.Sprintf(", %d clients", p.plan.Clients)
			}
			r.Progress(Step{What: fmt.Sprintf("%s: %s", target, what), Done: r.measured, Total: max(r.steps, r.measured)})
			s, err := load.Run(r.ctx, p.operation, p.plan)
			if err == nil {
				err = context.Cause(r.ctx)
			}
			if err != nil {
				return err
			}
			samples[i] = append(samples[i], s)
		}
	}
	for i, p := range rounds {
		r.report.Measurements = append(r.report.Measurements, Measurement{Target: p.target(target), Operation: p.operation.Name, Kind: p.kind,
			Clients: p.plan.Clients, Rate: p.plan.Rate, Items: max(p.operation.Items, 1), Sample: load.Median(samples[i])})
	}
	return nil
}

// planned is an operation with its plan.
type planned struct {
	kind      string
	operation load.Operation
	plan      load.Plan
}

func (p planned) target(name string) string {
	if p.kind == kindCeiling {
		return "ceiling"
	}
	return name
}

// operation measures one operation of a target, or notes that it has none.
func (r *runner) operation(t target.Target, name string) error {
	err := r.attempt(t, name)
	if r.skip(t, name, err) {
		return nil
	}
	return err
}

// skip notes what a target does not have.
func (r *runner) skip(t target.Target, name string, err error) bool {
	if !errors.Is(err, errors.ErrUnsupported) {
		return false
	}
	why := strings.TrimSuffix(err.Error(), ": "+errors.ErrUnsupported.Error())
	r.report.Skipped = append(r.report.Skipped, Skipped{Target: t.Name(), Operation: name, Why: why})
	return true
}
