package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// measurements are what --measure may name.
var measurements = map[string]func(context.Context, Config, int) (string, error){
	"writes":  measureWrites,
	"restart": measureRestart,
	"catchup": measureCatchUp,
}

// Measure takes the named measurements, one after the other.
func Measure(ctx context.Context, c Config, names string, tuples int) (report string, err error) {
	for _, name := range strings.Split(names, ",") {
		one := measurements[name]
		if one == nil {
			return report, fmt.Errorf("there is no measurement %q: they are writes, restart and catchup", name)
		}
		dir, err := os.MkdirTemp(c.Dir, "pemba-measure-")
		if err != nil {
			return report, err
		}
		inside := c
		inside.Dir = dir
		text, err := one(ctx, inside, tuples)
		report += text
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			return report, fmt.Errorf("%s: %w", name, err)
		}
	}
	return report, nil
}

// with runs a cluster of some size, with the store made.
func with(ctx context.Context, c Config, size int, use func(*cluster) error) error {
	k, err := newCluster(ctx, c, size)
	if err != nil {
		return err
	}
	l := &load{cluster: k, history: &history{grown: map[string]grown{}}}
	if err = l.prepare(ctx); err == nil {
		err = use(k)
	}
	return errors.Join(err, k.close())
}

// fill writes so many tuples, four batches at a time, and returns the last token.
func fill(ctx context.Context, store *client.Store, tuples int) (tuple.Token, error) {
	const batch = 1000
	numbers := make(chan int)
	var work sync.WaitGroup
	var mu sync.Mutex // guards failed
	var failed error
	write := func(from, to int) (api.WriteResponse, error) {
		var all []api.Tuple
		for i := from; i < to; i++ {
			all = append(all, api.Tuple{Object: fmt.Sprintf("document:d%d", i/4), Relation: "viewer", Subject: fmt.Sprintf("user:u%d", (i*7919)%(tuples/10+1))})
		}
		return store.Touch(ctx, all...)
	}
	for range 4 {
		work.Go(func() {
			for from := range numbers {
				if _, err := write(from, min(from+batch, tuples)); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for from := 0; from < tuples; from += batch {
		numbers <- from
	}
	close(numbers)
	work.Wait()
	answer, err := write(0, 1)
	return answer.Token, errors.Join(failed, err)
}

// fsync is the median time of a synced append of 4 KiB in a folder.
func fsync(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []time.Duration
	for range 200 {
		begin := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// measureWrites lets clients write single tuples, on one node and on three.
func measureWrites(ctx context.Context, c Config, _ int) (report string, err error) {
	sync, err := fsync(c.Dir)
	if err != nil {
		return "", err
	}
	report = fmt.Sprintf("a synced append of 4 KiB takes %v\n", sync)
	for _, size := range []int{1, 3} {
		inside := c
		inside.Dir = filepath.Join(c.Dir, fmt.Sprint("of", size))
		err := with(ctx, inside, size, func(k *cluster) error {
			for _, clients := range []int{1, 64} {
				took := writeAll(ctx, k, clients, c.Duration)
				if len(took) == 0 {
					return errors.New("no write was acknowledged")
				}
				report += fmt.Sprintf("%d nodes, %d clients: %.0f writes a second, median %v (%.1f fsyncs), p99 %v\n", size, clients,
					float64(len(took))/c.Duration.Seconds(), took[len(took)/2].Round(time.Microsecond),
					float64(took[len(took)/2])/float64(sync), took[len(took)*99/100].Round(time.Microsecond))
			}
			return nil
		})
		if err != nil {
			return report, err
		}
	}
	return report, nil
}

// writeAll returns how long each acknowledged write took, the shortest first.
func writeAll(ctx context.Context, k *cluster, clients int, duration time.Duration) []time.Duration {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	var mu sync.Mutex // guards all
	var all []time.Duration
	var work sync.WaitGroup
	for id := range clients {
		work.Go(func() {
			store := k.nodes[id%len(k.nodes)].client.Store(storeName)
			var took []time.Duration
			for serial := 0; ctx.Err() == nil; serial++ {
				begin := time.Now()
				if _, err := store.Touch(ctx, api.Tuple{Object: fmt.Sprintf("document:w%d-%d", id, serial), Relation: "viewer", Subject: "user:ana"}); err == nil {
					took = append(took, time.Since(begin))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	work.Wait()
	slices.Sort(all)
	return all
}

// measureRestart fills one node, kills it, and measures the time to its first
// answer; as root also after a loss of power.
func measureRestart(ctx context.Context, c Config, tuples int) (report string, err error) {
	err = with(ctx, c, 1, func(k *cluster) error {
		n := k.nodes[0]
		store := n.client.Store(storeName)
		begin := time.Now()
		if _, err := fill(ctx, store, tuples); err != nil {
			return err
		}
		report = fmt.Sprintf("loading %d tuples took %v: %.0f a second\n", tuples, time.Since(begin).Round(time.Millisecond), float64(tuples)/time.Since(begin).Seconds())
		first := func(after string) error {
			begin := time.Now()
			if err := k.start(n); err != nil {
				return err
			}
			for ctx.Err() == nil {
				allowed, err := store.Allowed(ctx, "document:d0", "view", "user:u0")
				if err == nil && !allowed {
					return errors.New("what was written is not there")
				}
				if err == nil {
					report += fmt.Sprintf("from the start after %s to the first answer, with %d tuples: %v\n", after, tuples, time.Since(begin).Round(time.Millisecond))
					return nil
				}
				time.Sleep(2 * time.Millisecond)
			}
			return ctx.Err()
		}
		n.kill()
		if err := first("kill -9"); err != nil {
			return err
		}
		if err := n.end(syscall.SIGTERM); err != nil {
			return err
		}
		if err := first("a stop"); err != nil || k.net == nil {
			return err
		}
		if _, err := powerless(k, rand.New(rand.NewPCG(c.Seed, 0)), n); err != nil {
			return err
		}
		return first("a loss of power")
	})
	return report, err
}

// measureCatchUp stops a follower, fills the others, and measures how long the
// follower needs to have all of it, while the leader takes writes.
func measureCatchUp(ctx context.Context, c Config, tuples int) (report string, err error) {
	err = with(ctx, c, members, func(k *cluster) error {
		leader := k.leader(ctx)
		if leader == nil {
			return errors.New("nobody leads")
		}
		behind := k.others(leader)[0]
		if err := behind.end(syscall.SIGTERM); err != nil {
			return err
		}
		begin := time.Now()
		token, err := fill(ctx, leader.client.Store(storeName), tuples)
		if err != nil {
			return err
		}
		report = fmt.Sprintf("loading %d tuples on three nodes, one of them away, took %v: %.0f a second\n", tuples,
			time.Since(begin).Round(time.Millisecond), float64(tuples)/time.Since(begin).Seconds())
		writing, stop := context.WithCancel(ctx)
		var took []time.Duration
		var work sync.WaitGroup
		work.Go(func() { took = writeAll(writing, &cluster{nodes: []*node{leader}}, 4, time.Hour) })
		begin = time.Now()
		if err = k.start(behind); err == nil {
			store := behind.client.Store(storeName)
			for ctx.Err() == nil {
				_, err := store.Check(ctx, api.CheckRequest{Question: api.Question{Object: "document:d0", Permission: "view", Subject: "user:u0"},
					Moment: api.Moment{Consistency: api.AtLeastAsFresh(token)}})
				if err == nil {
					break
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		caught := time.Since(begin)
		stop()
		work.Wait()
		report += fmt.Sprintf("a follower %d tuples behind has caught up %v after its start", tuples, caught.Round(time.Millisecond))
		if len(took) > 0 {
			report += fmt.Sprintf("; meanwhile the leader acknowledged %d writes, median %v, longest %v", len(took),
				took[len(took)/2].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond))
		}
		report += "\n"
		return errors.Join(err, ctx.Err())
	})
	return report, err
}
