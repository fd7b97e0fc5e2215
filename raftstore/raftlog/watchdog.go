package raftlog

import (
	"sync"
	"time"
)

// watchdog notices a write that does not end. A hung disk answers nothing, not
// even an error, while the heartbeats of its leader go on (hashicorp/raft #503).
type watchdog struct {
	limit  time.Duration
	report func(bool)

	mu      sync.Mutex // guards what follows
	running int        // writes that have begun and not ended
	timer   *time.Timer
	stalled bool
	stopped bool

	telling sync.Mutex // guards told, and keeps the reports in order
	told    bool
}

func newWatchdog(limit time.Duration, report func(bool)) *watchdog {
	return &watchdog{limit: limit, report: report}
}

func (w *watchdog) off() bool { return w.limit <= 0 || w.report == nil }

func (w *watchdog) begin() {
	if w.off() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running++
	if w.running > 1 || w.stopped {
		return
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limit, w.late)
		return
	}
	w.timer.Reset(w.limit)
}

func (w *watchdog) late() {
	w.mu.Lock()
	w.stalled = w.running > 0
	w.mu.Unlock()
	w.tell()
}

func (w *watchdog) end() {
	if w.off() {
		return
	}
	w.mu.Lock()
	w.running--
	recovered := w.running == 0 && w.stalled
	if w.running == 0 {
		w.timer.Stop()
		w.stalled = false
	}
	w.mu.Unlock()
	if recovered {
		w.tell()
	}
}

// tell reports the present state where it is news.
func (w *watchdog) tell() {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.mu.Lock()
	stalled, stopped := w.stalled, w.stopped
	w.mu.Unlock()
	if stalled != w.told && !stopped {
		w.told = stalled
		w.report(stalled)
	}
}

// stop ends reporting and waits for a report under way.
func (w *watchdog) stop() {
	w.mu.Lock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.mu.Unlock()
	w.telling.Lock() // a report under way holds it
	defer w.telling.Unlock()
}
