package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A gap counts from the fault on, and apart where another member was away.
func TestGapLines(t *testing.T) {
	hit := time.Unix(1000, 0)
	at := func(from, to time.Duration, alone bool) gap {
		return gap{span{hit.Add(from), hit.Add(to)}, hit, alone}
	}
	all := []gap{
		at(-time.Second, 50*time.Millisecond, false),
		at(100*time.Millisecond, 180*time.Millisecond, false),
		at(0, 20*time.Millisecond, false),
		at(-time.Millisecond, 2*time.Second, true),
	}
	got := gapLines("kill", all)
	want := "leader hit by kill to next acknowledged write: 3 times, median 50ms, p90 80ms, p99 80ms, longest 80ms\n" +
		"leader hit by kill to next acknowledged write, with another member still away: 1 times, median 2s, p90 2s, p99 2s, longest 2s\n"
	if got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	if got := gapLines("kill", nil); got != "" {
		t.Errorf("of no gap it says %q", got)
	}
}

func TestStoriesAreOfLongGapsAlone(t *testing.T) {
	hit := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var nodes []*node
	for i, log := range []string{
		"time=2026-01-02T03:04:04.000Z level=INFO msg=long-before\npemba listens on 127.0.0.1:8420\ntime=2026-01-02T03:04:05.100Z level=INFO msg=elected\n",
		"time=2026-01-02T03:04:05.050Z level=INFO msg=stands\ntime=2026-01-02T03:04:05.060Z level=DEBUG msg=request status=200\n",
	} {
		name := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(name, []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		nodes = append(nodes, &node{number: i, log: f})
	}
	long, short := gap{span{hit, hit.Add(200 * time.Millisecond)}, hit, false}, gap{span{hit, hit.Add(time.Millisecond)}, hit, false}
	got := (&cluster{nodes: nodes}).stories("kill", []gap{short, long}, 100*time.Millisecond)
	if strings.Count(got, "without a write") != 1 || strings.Contains(got, "long-before") || strings.Contains(got, "request") {
		t.Errorf("it tells\n%s", got)
	}
	if stands, elected := strings.Index(got, "+0.050s node 1 level=INFO msg=stands"), strings.Index(got, "+0.100s node 0 level=INFO msg=elected"); stands < 0 || elected < stands {
		t.Errorf("it tells\n%s", got)
	}
}
