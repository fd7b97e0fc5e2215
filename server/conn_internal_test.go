package server

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A connection with lazy deadlines does what any connection does, at the same
// instants, whatever deadlines are set when.
func TestLazyConn(t *testing.T) {
	for seed := range uint64(300) {
		var told [2]string
		for i := range told {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				if i == 1 {
					near = newLazyConn(near)
				}
				told[i] = live(near, far, rand.New(rand.NewPCG(seed, 1)))
			})
		}
		if told[0] != told[1] {
			t.Fatalf("seed %d\na plain connection: %s\na lazy one:         %s", seed, told[0], told[1])
		}
	}
}

// live reads, writes and sets deadlines, and tells what came of it when.
func live(near, far net.Conn, r *rand.Rand) string {
	began := time.Now()
	var mu sync.Mutex
	told := map[string]string{}
	note := func(who string, n int, err error) {
		what := "well"
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			what = "late"
		case err != nil:
			what = "closed"
		}
		mu.Lock()
		defer mu.Unlock()
		told[who] += fmt.Sprintf(" %d %s at %v;", n, what, time.Since(began))
	}
	var group sync.WaitGroup
	plan := func(n int, step func(at time.Duration)) { // at odd instants, so that no two happen at once
		at := time.Duration(0)
		for range n {
			at += time.Duration(1+r.IntN(40)) * time.Second
			step(at)
		}
	}
	var texts, gaps, sets []func()
	plan(6, func(at time.Duration) {
		size := 1 + r.IntN(3)
		texts = append(texts, func() { time.Sleep(at - time.Since(began)); far.Write(make([]byte, size)) })
	})
	plan(8, func(at time.Duration) {
		at += 100 * time.Millisecond
		gaps = append(gaps, func() { time.Sleep(at - time.Since(began)); io.ReadFull(far, make([]byte, 2)) })
	})
	plan(20, func(at time.Duration) {
		at = at/2 + 500*time.Microsecond
		deadline, kind := began.Add(at+time.Duration(r.IntN(60)-5)*time.Second+3300*time.Microsecond), r.IntN(10)
		sets = append(sets, func() {
			time.Sleep(at - time.Since(began))
			switch {
			case kind < 2:
				deadline = time.Time{}
			case kind < 3:
				deadline = time.Unix(1, 0)
			}
			switch kind % 3 {
			case 0:
				near.SetReadDeadline(deadline)
			case 1:
				near.SetWriteDeadline(deadline)
			default:
				near.SetDeadline(deadline)
			}
		})
	})
	run := func(steps []func()) {
		group.Go(func() {
			for _, step := range steps {
				step()
			}
		})
	}
	run(texts)
	run(gaps)
	run(sets)
	for _, who := range []string{"reader", "writer"} {
		group.Go(func() {
			for range 12 {
				var n int
				var err error
				if who == "reader" {
					n, err = near.Read(make([]byte, 8))
				} else {
					n, err = near.Write(make([]byte, 3))
				}
				note(who, n, err)
				time.Sleep(7*time.Second + time.Millisecond)
			}
		})
	}
	group.Go(func() {
		time.Sleep(10 * time.Minute)
		near.Close()
		far.Close()
	})
	group.Wait()
	return told["reader"] + told["writer"]
}
