package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/server/api"
)

// comeback is how long a cluster that has all its nodes may take to acknowledge a
// write again. Machines that run tests are slow.
const comeback = time.Minute

// Run injects faults into a cluster of its own, checks everything and reports.
// The error says what was found.
func Run(ctx context.Context, c Config) (report string, err error) {
	c.Nodes = cmp.Or(c.Nodes, members)
	chosen, err := choose(c)
	if err != nil {
		return "", err
	}
	if c.Dir == "" {
		if c.Dir, err = os.MkdirTemp("", "pemba-torture-"); err != nil {
			return "", err
		}
		defer func() {
			if err == nil {
				err = os.RemoveAll(c.Dir)
			} else {
				err = fmt.Errorf("%w; everything is in %s", err, c.Dir)
			}
		}()
	}
	k, err := newCluster(ctx, c, c.Nodes)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	c.Verbose("%d nodes in %s, seed %d", c.Nodes, c.Dir, c.Seed)
	l := &load{cluster: k, history: &history{grown: map[string]grown{}}}
	if err := l.prepare(ctx); err != nil {
		return "", err
	}
	r := &trial{config: c, cluster: k, load: l, faults: map[string]int{}, leaders: map[int]int{}, gaps: map[string][]gap{}}
	begin := time.Now()
	loading, stop := context.WithCancel(ctx)
	var clients sync.WaitGroup
	for id := range c.Clients {
		clients.Go(func() { l.client(loading, id, rand.New(rand.NewPCG(c.Seed, uint64(id)))) })
	}
	if c.Import {
		clients.Go(func() { l.imports(loading, rand.New(rand.NewPCG(c.Seed, 1000))) })
	}
	err = r.torment(ctx, chosen)
	stop()
	clients.Wait()
	if err == nil {
		err = r.check(ctx)
	}
	return r.report(time.Since(begin)), err
}

// trial is one run under way.
type trial struct {
	config  Config
	cluster *cluster
	load    *load
	faults  map[string]int
	leaders map[int]int      // faults by the node that led
	gaps    map[string][]gap // of writes when the leader was hit, by fault
	equal   int              // stores that all members hold alike
	tuples  int
}

// torment injects one fault after the other, and demands that the cluster writes
// again after each.
func (r *trial) torment(ctx context.Context, chosen []fault) error {
	random := rand.New(rand.NewPCG(r.config.Seed, 2000))
	begin := time.Now()
	if err := r.writesAgain(ctx, begin); err != nil {
		return err
	}
	for round := 0; time.Since(begin) < r.config.Duration && ctx.Err() == nil; round++ {
		if r.config.Rest {
			if err := r.cluster.waitVoters(ctx, r.config.Nodes); err != nil {
				return err
			}
		}
		f := draw(chosen, random)
		target := r.cluster.nodes[random.IntN(r.config.Nodes)]
		leader := r.cluster.leader(ctx)
		if random.IntN(3) > 0 && leader != nil {
			target = leader
		}
		if leader != nil {
			r.leaders[leader.number]++
		}
		other := target
		if others := r.cluster.others(target); len(others) > 0 {
			other = others[random.IntN(len(others))]
		}
		r.config.Verbose("%6.1fs %s: node %d (leader: %v) and %d", time.Since(begin).Seconds(), f.name, target.number, target == leader, other.number)
		r.faults[f.name]++
		h := r.load.history
		alone := target == leader && !r.cluster.ready(ctx)
		h.newGap()
		hit := time.Now()
		mend, err := f.do(ctx, r.cluster, target, other, random)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if target == leader && r.config.Nodes > 1 && (f.name == "kill" || f.name == "stop" || f.name == "freeze" || f.name == "power" || f.name == "unplug") {
			if err := r.writesAgain(ctx, hit.Add(time.Second)); err != nil { // answers that were under way come until then
				return fmt.Errorf("%s of the leader: %w", f.name, err)
			}
			g := gap{h.longestGap(), hit, alone}
			r.gaps[f.name] = append(r.gaps[f.name], g)
			r.config.Verbose("        no write for %v, another member away: %v", g.length().Round(time.Millisecond), alone)
		} else {
			time.Sleep(time.Duration(100+random.IntN(2000)) * time.Millisecond)
		}
		if err := mend(); err != nil {
			return fmt.Errorf("the end of %s: %w", f.name, err)
		}
		if err := r.writesAgain(ctx, time.Now()); err != nil {
			return fmt.Errorf("after %s: %w", f.name, err)
		}
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		if round%5 == 4 {
			r.load.era.Add(1)
		}
		h.mu.Lock()
		wrong := len(h.wrong)
		h.mu.Unlock()
		if wrong > 0 {
			return nil // check will say it
		}
	}
	return ctx.Err()
}

// writesAgain waits for a write that was acknowledged after an instant.
func (r *trial) writesAgain(ctx context.Context, after time.Time) error {
	for deadline := time.Now().Add(comeback); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if r.load.history.last.Load() > after.UnixNano() {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("no write was acknowledged for %v", comeback)
}

// check compares what every node holds with what was acknowledged, and all of it
// with each other.
func (r *trial) check(ctx context.Context) error {
	h := r.load.history
	if err := r.cluster.waitVoters(ctx, r.config.Nodes); err != nil {
		return err
	}
	for _, n := range r.cluster.nodes {
		if err := r.checkGrown(ctx, n); err != nil {
			return err
		}
	}
	verified, err := r.cluster.verify(ctx)
	if err != nil {
		return fmt.Errorf("comparing the members: %w", err)
	}
	if !verified.Equal {
		h.fault("the members differ: %s", strings.Join(verified.Findings, "; "))
	}
	for _, s := range verified.Members[0].Stores {
		r.equal++
		r.tuples += int(s.Tuples)
	}
	result, _ := porcupine.CheckOperationsVerbose(registers, h.operations, 2*time.Minute)
	if result != porcupine.Ok {
		h.fault("no order explains the history of %d operations: %s", len(h.operations), result)
	}
	if len(h.wrong) > 0 {
		return fmt.Errorf("%d wrong answers:\n%s", len(h.wrong), strings.Join(h.wrong[:min(len(h.wrong), 20)], "\n"))
	}
	return nil
}

// checkGrown demands every acknowledged viewer at a node, and no one whose write
// was certainly not made.
func (r *trial) checkGrown(ctx context.Context, n *node) error {
	found := map[string]bool{}
	all := n.client.Store(storeName).Tuples(ctx, api.ReadRequest{Filter: api.Filter{ObjectType: "document", Relation: "viewer"}, Consistency: api.FullyConsistent()})
	for t, err := range all {
		if err != nil {
			return fmt.Errorf("reading everything at node %d: %w", n.number, err)
		}
		found[strings.TrimPrefix(t.Object, "document:")+" "+strings.TrimPrefix(t.Subject, "user:")] = true
	}
	for key, f := range r.load.history.grown {
		switch {
		case f.fate == certain && !found[key]:
			r.load.history.fault("node %d lost the acknowledged %s", n.number, key)
		case f.fate == undone && found[key]:
			r.load.history.fault("node %d holds %s, of which was said that it was not written: %v", n.number, key, f.err)
		}
	}
	return nil
}

func (r *trial) report(took time.Duration) string {
	var out strings.Builder
	l, h := r.load, r.load.history
	h.mu.Lock()
	defer h.mu.Unlock()
	total := 0
	var names []string
	for name, count := range r.faults {
		total += count
		names = append(names, fmt.Sprintf("%s %d", name, count))
	}
	slices.Sort(names)
	fmt.Fprintf(&out, "seed %d, %v\n", r.config.Seed, took.Round(time.Second))
	fmt.Fprintf(&out, "faults: %d (%s)\n", total, strings.Join(names, ", "))
	fmt.Fprintf(&out, "acknowledged: %d tuples added, %d swaps; imported besides: %d tuples\n", l.grows.Load(), l.swaps.Load(), l.imported.Load())
	fmt.Fprintf(&out, "outcome unknown: %d, of which found out by asking again: %d; failed for certain: %d requests\n", l.unknown.Load(), l.settled.Load(), l.failed.Load())
	fmt.Fprintf(&out, "asked: %d under a token, %d at exactly one, %d fully consistent, %d plain; swaps refused: %d\n", l.fresh.Load(), l.exact.Load(), l.reads.Load(), l.plain.Load(), l.refused.Load())
	fmt.Fprintf(&out, "history for porcupine: %d operations; members alike in %d stores of %d tuples\n", len(h.operations), r.equal, r.tuples)
	for _, name := range []string{"kill", "stop", "power", "unplug", "freeze"} {
		gaps := r.gaps[name]
		out.WriteString(gapLines(name, gaps))
		if r.config.TraceGaps > 0 {
			out.WriteString(r.cluster.stories(name, gaps, r.config.TraceGaps))
		}
	}
	fmt.Fprintf(&out, "lost, stale or wrong: %d\n", len(h.wrong))
	return out.String()
}
