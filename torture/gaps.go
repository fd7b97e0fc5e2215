package main

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// span is a time without an acknowledged write.
type span struct{ from, to time.Time }

func (s span) length() time.Duration { return s.to.Sub(s.from) }

// gap is the longest such time that ended after a fault had hit the leader.
type gap struct {
	span
	hit   time.Time
	alone bool // another member was not back yet: nobody could lead before it was
}

// length is how much of it came after the fault.
func (g gap) length() time.Duration {
	if g.hit.After(g.from) {
		return g.to.Sub(g.hit)
	}
	return g.span.length()
}

// gapLines says how long writes stood still, by what hit the leader. Where another
// member was still away, the time is that of its start, and stands apart.
func gapLines(name string, all []gap) string {
	var out strings.Builder
	for _, alone := range []bool{false, true} {
		var lengths []time.Duration
		for _, g := range all {
			if g.alone == alone {
				lengths = append(lengths, g.length().Round(time.Millisecond))
			}
		}
		if len(lengths) == 0 {
			continue
		}
		slices.Sort(lengths)
		what := ""
		if alone {
			what = ", with another member still away"
		}
		at := func(percent int) time.Duration { return lengths[min(len(lengths)-1, len(lengths)*percent/100)] }
		fmt.Fprintf(&out, "leader hit by %s to next acknowledged write%s: %d times, median %v, p90 %v, p99 %v, longest %v\n",
			name, what, len(lengths), at(50), at(90), at(99), at(100))
	}
	return out.String()
}

// event is a line of a node's log.
type event struct {
	at   time.Time
	node int
	text string
}

// stories tells of the gaps that are as long as the limit, the longest first.
func (k *cluster) stories(name string, all []gap, limit time.Duration) string {
	var out strings.Builder
	all = slices.SortedFunc(slices.Values(all), func(a, b gap) int { return cmp.Compare(b.length(), a.length()) })
	for _, g := range all {
		if g.length() < limit {
			break
		}
		story, err := k.timeline(g)
		if err != nil {
			story = fmt.Sprintf("  its story cannot be told: %v\n", err)
		}
		fmt.Fprintf(&out, "%s, %v without a write, another member away: %v\n%s", name, g.length().Round(time.Millisecond), g.alone, story)
	}
	return out.String()
}

// timeline tells what the nodes logged during a gap, by the time since the fault.
func (k *cluster) timeline(g gap) (string, error) {
	const before, after = 50 * time.Millisecond, 50 * time.Millisecond
	events := []event{{g.hit, -1, "the fault begins"}, {g.from, -1, "the last write before the gap is acknowledged"}, {g.to, -1, "the first write after it is acknowledged"}}
	for _, n := range k.nodes {
		found, err := eventsOf(n, g.from.Add(-before), g.to.Add(after))
		if err != nil {
			return "", err
		}
		events = append(events, found...)
	}
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	var out strings.Builder
	for _, e := range events {
		who := "      "
		if e.node >= 0 {
			who = fmt.Sprint("node ", e.node)
		}
		fmt.Fprintf(&out, "  %+8.3fs %s %s\n", e.at.Sub(g.hit).Seconds(), who, e.text)
	}
	return out.String(), nil
}

// eventsOf reads a node's log of some time.
func eventsOf(n *node, from, to time.Time) ([]event, error) {
	f, err := os.Open(n.log.Name())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []event
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		stamp, text, _ := strings.Cut(strings.TrimPrefix(lines.Text(), "time="), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err == nil && !strings.Contains(text, "msg=request") && !at.Before(from) && !at.After(to) {
			found = append(found, event{at, n.number, text})
		}
	}
	return found, lines.Err()
}
