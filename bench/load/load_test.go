package load_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/bench/load"
)

type client func(ctx context.Context) error

func (c client) Do(ctx context.Context) error { return c(ctx) }
func (c client) Close() error                 { return nil }

func operation(do func(ctx context.Context) error) load.Operation {
	return load.Operation{Name: "test", Client: func(int) (load.Client, error) { return client(do), nil }}
}

func near(got load.Latency, want time.Duration) bool {
	return got >= load.Latency(want)*99/100 && got <= load.Latency(want)*101/100
}

// A closed loop sends the next request when the last is answered, and counts
// nothing of the warm-up.
func TestClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := load.Run(t.Context(), operation(func(context.Context) error { time.Sleep(10 * time.Millisecond); return nil }),
			load.Plan{Clients: 4, Warmup: time.Second, Duration: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if s.Requests != 800 || s.PerSecond < 399 || s.PerSecond > 401 || !near(s.P50, 10*time.Millisecond) || !near(s.Max, 10*time.Millisecond) {
			t.Errorf("%+v: want 800 requests of 10 ms, 400/s", s)
		}
	})
}

// A request that takes longer than the run is counted all the same, over the time
// that it took.
func TestSlowRequestsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := load.Run(t.Context(), operation(func(context.Context) error { time.Sleep(5 * time.Second); return nil }),
			load.Plan{Clients: 2, Warmup: time.Second, Duration: time.Second})
		if err != nil || s.Requests != 2 || !near(s.P50, 5*time.Second) || s.PerSecond > 0.4 {
			t.Errorf("%+v, %v: want two requests of 5 s", s, err)
		}
	})
}

// At a fixed rate a stall is seen by every request that arrives meanwhile: the
// latency counts from the arrival and not from when a client was free.
func TestArrivalsSeeStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, err := load.Run(t.Context(), operation(func(context.Context) error {
			if n++; n == 100 {
				time.Sleep(time.Second)
			}
			return nil
		}), load.Plan{Clients: 1, Rate: 100, Duration: 4 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if s.Requests != 400 || !near(s.Max, time.Second) || s.P90 < load.Latency(500*time.Millisecond) || s.P50 > load.Latency(time.Millisecond) {
			t.Errorf("%+v: want 400 requests, a quarter of them late by up to a second", s)
		}
	})
}

// Wrong answers and failures are told apart, and neither has a latency.
func TestWrongAndFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s, err := load.Run(t.Context(), operation(func(context.Context) error {
			time.Sleep(time.Millisecond)
			switch n++; n % 4 {
			case 0:
				return &load.WrongAnswer{Question: "q", Got: "allowed", Want: "denied"}
			case 1:
				return errors.New("refused")
			}
			return nil
		}), load.Plan{Clients: 1, Duration: 400 * time.Millisecond})
		if err != nil || s.Requests != 200 || s.Wrong != 100 || s.Failed != 100 || s.LastError == "" {
			t.Errorf("%+v, %v: want half good, a quarter wrong, a quarter failed", s, err)
		}
	})
}

func TestMedian(t *testing.T) {
	m := load.Median([]load.Sample{{PerSecond: 3, P50: 30, Requests: 1}, {PerSecond: 1, P50: 10, Requests: 1, Wrong: 1}, {PerSecond: 2, P50: 20, Requests: 1}})
	if m.PerSecond != 2 || m.P50 != 20 || m.Requests != 3 || m.Wrong != 1 {
		t.Errorf("%+v", m)
	}
	if !slices.Equal(m.Curve, nil) {
		t.Errorf("a curve of nothing: %v", m.Curve)
	}
}

func TestLatency(t *testing.T) {
	for d, want := range map[load.Latency]string{0: "0s", 999: "999ns", 1234: "1.23µs", 123456: "123µs", 1234567: "1.23ms", 61e9: "1m1s"} {
		if got := d.String(); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}
