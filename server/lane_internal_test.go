package server

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pemba-authz/pemba/server/api"
)

// oneSeat is a lane with a single seat.
func oneSeat(queue int) *lane { return newLane(1, queue) }

// spin works for a while of its own time as the engine does: it asks now and then.
func spin(p *pace, steps int) (err error) {
	for range steps {
		if err = p.Err(); err != nil {
			return err
		}
		time.Sleep(100 * time.Microsecond)
	}
	return nil
}

func TestLaneSharesItsSeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := oneSeat(10)
		long := l.pace(t.Context())
		done := make(chan error)
		go func() {
			defer long.leave()
			done <- spin(&long, 10_000) // a second
		}()
		time.Sleep(10 * time.Millisecond)
		began := time.Now()
		short := l.pace(t.Context())
		if err := spin(&short, 30); err != nil { // three milliseconds
			t.Error(err)
		}
		short.leave()
		if took := time.Since(began); took > 10*time.Millisecond {
			t.Errorf("a short request waited for a long one: %v", took)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(l.seats) != 0 || l.waiting.Load() != 0 {
			t.Errorf("%d seats are taken, %d wait", len(l.seats), l.waiting.Load())
		}
	})
}

// Beyond the free span, no more work at once than there are seats.
func TestLaneBoundsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := oneSeat(100)
		var working, most atomic.Int64
		var group sync.WaitGroup
		for range 20 {
			group.Go(func() {
				p := l.pace(t.Context())
				defer p.leave()
				for range 100 {
					if err := p.Err(); err != nil {
						t.Error(err)
					}
					if p.seated {
						if now := working.Add(1); now > most.Load() {
							most.Store(now)
						}
					}
					time.Sleep(100 * time.Microsecond)
					if p.seated {
						working.Add(-1)
					}
				}
			})
		}
		group.Wait()
		if most.Load() != 1 {
			t.Errorf("%d worked at once", most.Load())
		}
	})
}

func TestLaneIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := oneSeat(1)
		l.trySit()
		var group sync.WaitGroup
		group.Go(func() {
			waiting := l.pace(t.Context())
			defer waiting.leave()
			if err := spin(&waiting, 100); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(10 * time.Millisecond)
		p := l.pace(t.Context())
		if err := spin(&p, 100); !errors.Is(err, api.Overloaded) {
			t.Errorf("got %v, want overloaded", err)
		}
		if err := context.Cause(&p); !errors.Is(err, api.Overloaded) {
			t.Errorf("the engine sees %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		l.queue = 2
		late := l.pace(ctx)
		if err := spin(&late, 100); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		l.stand()
		group.Wait()
	})
}

// While short requests are answered, a long one works a third of its time, and a
// sixth where all seats are taken.
func TestLaneGivesWay(t *testing.T) {
	for taken, least := range map[int]time.Duration{0: 290 * time.Millisecond, 3: 590 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) { givesWay(t, taken, least) })
	}
}

func givesWay(t *testing.T, taken int, least time.Duration) {
	l := newLane(4, 1)
	for range taken {
		l.trySit()
	}
	p := l.pace(t.Context())
	began := time.Now()
	for range 1000 { // a tenth of a second
		l.short.Add(1)
		if err := spin(&p, 1); err != nil {
			t.Fatal(err)
		}
	}
	p.leave()
	if took := time.Since(began); took < least || took > least+20*time.Millisecond {
		t.Errorf("took %v where %d others have seats", took, taken)
	}
}
