package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"
)

// fault is one thing that can be done to the cluster. do begins it; what it
// returns ends it, which may take a while.
type fault struct {
	name   string
	weight int
	spaces bool // only in namespaces
	alone  bool // also of a single node
	do     func(ctx context.Context, k *cluster, target, other *node, random *rand.Rand) (mend func() error, err error)
}

func nothing() error { return nil }

// restart ends processes and starts them again after a pause.
func restart(k *cluster, random *rand.Rand, nodes ...*node) func() error {
	pause := time.Duration(random.IntN(1500)) * time.Millisecond
	return func() error {
		time.Sleep(pause)
		var errs []error
		for _, n := range nodes {
			errs = append(errs, k.start(n))
		}
		return errors.Join(errs...)
	}
}

// others are the nodes but one.
func (k *cluster) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(k.nodes), func(o *node) bool { return o == n })
}

func (n *node) space() *namespace { return n.place.(*namespace) }

// cut makes or mends one direction of a link.
func cut(from, to *node, on bool) error { return from.space().deafen(to.space(), on) }

// powerless cuts the power of nodes, all at once.
func powerless(k *cluster, random *rand.Rand, nodes ...*node) (func() error, error) {
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.space().cutPower())
	}
	for _, n := range nodes {
		n.kill()
	}
	for _, n := range nodes {
		errs = append(errs, n.space().restorePower())
	}
	return restart(k, random, nodes...), errors.Join(errs...)
}

var faults = []fault{
	{"kill", 6, false, true, func(_ context.Context, k *cluster, n, _ *node, random *rand.Rand) (func() error, error) {
		n.kill()
		return restart(k, random, n), nil
	}},
	{"kill-two", 1, false, false, func(_ context.Context, k *cluster, n, o *node, random *rand.Rand) (func() error, error) {
		n.kill()
		o.kill()
		return restart(k, random, n, o), nil
	}},
	{"kill-all", 1, false, true, func(_ context.Context, k *cluster, _, _ *node, random *rand.Rand) (func() error, error) {
		for _, n := range k.nodes {
			n.kill()
		}
		return restart(k, random, k.nodes...), nil
	}},
	{"stop", 2, false, true, func(_ context.Context, k *cluster, n, _ *node, random *rand.Rand) (func() error, error) {
		err := n.end(syscall.SIGTERM)
		return restart(k, random, n), err
	}},
	{"pause", 3, false, true, func(_ context.Context, _ *cluster, n, _ *node, random *rand.Rand) (func() error, error) {
		n.signal(syscall.SIGSTOP)
		time.Sleep(time.Duration(100+random.IntN(3000)) * time.Millisecond)
		return func() error { n.signal(syscall.SIGCONT); return nil }, nil
	}},
	{"cut-off", 3, true, false, func(_ context.Context, k *cluster, n, _ *node, _ *rand.Rand) (func() error, error) {
		both := func(on bool) (err error) {
			for _, o := range k.others(n) {
				err = errors.Join(err, cut(n, o, on), cut(o, n, on))
			}
			return err
		}
		return func() error { return both(false) }, both(true)
	}},
	{"cut-link", 2, true, false, func(_ context.Context, _ *cluster, n, o *node, _ *rand.Rand) (func() error, error) {
		return func() error { return errors.Join(cut(n, o, false), cut(o, n, false)) }, errors.Join(cut(n, o, true), cut(o, n, true))
	}},
	{"cut-one-way", 3, true, false, func(_ context.Context, _ *cluster, n, o *node, _ *rand.Rand) (func() error, error) {
		return func() error { return cut(n, o, false) }, cut(n, o, true)
	}},
	{"unplug", 2, true, true, func(_ context.Context, _ *cluster, n, _ *node, _ *rand.Rand) (func() error, error) {
		return func() error { return n.space().plug(true) }, n.space().plug(false)
	}},
	{"flap", 2, true, false, func(_ context.Context, _ *cluster, n, o *node, random *rand.Rand) (func() error, error) {
		for range 10 {
			if err := cut(n, o, true); err != nil {
				return nothing, err
			}
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			if err := cut(n, o, false); err != nil {
				return nothing, err
			}
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		}
		return nothing, nil
	}},
	{"slow", 2, true, true, func(_ context.Context, _ *cluster, n, _ *node, _ *rand.Rand) (func() error, error) {
		return n.space().fast, n.space().slow()
	}},
	{"power", 4, true, true, func(_ context.Context, k *cluster, n, _ *node, random *rand.Rand) (func() error, error) {
		return powerless(k, random, n)
	}},
	{"power-all", 2, true, true, func(_ context.Context, k *cluster, _, _ *node, random *rand.Rand) (func() error, error) {
		return powerless(k, random, k.nodes...)
	}},
	{"freeze", 1, true, true, func(_ context.Context, _ *cluster, n, _ *node, random *rand.Rand) (func() error, error) {
		err := n.space().freeze(true)
		time.Sleep(time.Duration(9+random.IntN(6)) * time.Second) // a node gives up leadership after 10 s
		return func() error { return n.space().freeze(false) }, err
	}},
}

// choose returns the faults that a run may inject.
func choose(c Config) ([]fault, error) {
	var chosen []fault
	for _, f := range faults {
		if (len(c.Faults) == 0 || slices.Contains(c.Faults, f.name)) && (!f.spaces || !c.Loopback) && (f.alone || c.Nodes > 1) {
			chosen = append(chosen, f)
		}
	}
	for _, name := range c.Faults {
		if !slices.ContainsFunc(chosen, func(f fault) bool { return f.name == name }) {
			return nil, fmt.Errorf("there is no fault %q, or it needs namespaces or more than one node", name)
		}
	}
	return chosen, nil
}

func draw(from []fault, random *rand.Rand) fault {
	sum := 0
	for _, f := range from {
		sum += f.weight
	}
	dice := random.IntN(sum)
	for _, f := range from {
		if dice -= f.weight; dice < 0 {
			return f
		}
	}
	return from[0]
}
