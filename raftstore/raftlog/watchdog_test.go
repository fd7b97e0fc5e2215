package raftlog

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestWatchdog(t *testing.T) {
	run := func(t *testing.T, want []bool, writes func(w *watchdog)) {
		synctest.Test(t, func(t *testing.T) {
			var told []bool
			w := newWatchdog(time.Second, func(stalled bool) { told = append(told, stalled) })
			writes(w)
			w.stop()
			if !slices.Equal(told, want) {
				t.Errorf("told %v, want %v", told, want)
			}
		})
	}
	write := func(w *watchdog, takes time.Duration) {
		w.begin()
		time.Sleep(takes)
		synctest.Wait()
		w.end()
	}
	t.Run("quick writes say nothing", func(t *testing.T) {
		run(t, nil, func(w *watchdog) {
			for range 10 {
				write(w, 900*time.Millisecond)
			}
		})
	})
	t.Run("a slow one is told while it runs and when it ends", func(t *testing.T) {
		run(t, []bool{true, false}, func(w *watchdog) {
			write(w, 3*time.Second)
			write(w, time.Millisecond)
		})
	})
	t.Run("idle time does not count", func(t *testing.T) {
		run(t, nil, func(w *watchdog) {
			write(w, time.Millisecond)
			time.Sleep(time.Hour)
			write(w, time.Millisecond)
		})
	})
	t.Run("closed it says nothing", func(t *testing.T) {
		run(t, nil, func(w *watchdog) {
			w.begin()
			w.stop()
			time.Sleep(time.Hour)
		})
	})
}
