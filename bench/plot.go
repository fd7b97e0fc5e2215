package bench

import (
	"fmt"
	"math"
	"strings"

	"github.com/pemba-authz/pemba/bench/load"
)

// The plots as their template draws them, in units of the SVG.

// bars are horizontal: a name, a bar and a number in each row.
type bars struct {
	Width, Height, Left float64
	Rows                []bar
}

type bar struct {
	Y, Width, TextX float64
	Color           int
	Label, Text     string
}

const (
	plotWidth = 760.0
	rowHeight = 26.0
	labelRoom = 250.0
)

// throughput shows how many checks a second each target answers.
func (r *Report) throughput() *bars {
	b := &bars{Width: plotWidth, Left: labelRoom}
	most := 0.0
	for _, m := range r.Measurements {
		if plotted(m) {
			most = max(most, m.PerSecond)
		}
	}
	for _, m := range r.Measurements {
		if !plotted(m) {
			continue
		}
		width := (plotWidth - labelRoom - 150) * m.PerSecond / most
		text := count(m.PerSecond) + "/s"
		if m.Share > 0 {
			text += fmt.Sprintf("  %.0f%%", 100*m.Share)
		}
		b.Rows = append(b.Rows, bar{Y: float64(len(b.Rows)) * rowHeight, Width: max(width, 1), TextX: labelRoom + width + 6,
			Color: r.color(m.Target), Label: m.label(), Text: text})
	}
	b.Height = float64(len(b.Rows)) * rowHeight
	if len(b.Rows) == 0 {
		return nil
	}
	return b
}

// curves is one plot of latency over the share of requests, for targets with as
// many clients.
type curves struct {
	Title                    string
	Width, Height            float64
	Left, Right, Top, Bottom float64 // edges of the plot within
	X, Y                     []tick
	Lines                    []line
}

type tick struct {
	At    float64
	Label string
}

type line struct {
	Color  int
	Label  string
	Points string
	Y      float64 // of its entry in the legend
}

func (r *Report) curves() []curves {
	var clients []int
	byClients := map[int][]Measurement{}
	low, high := math.Inf(1), 0.0
	for _, m := range r.Measurements {
		if !plotted(m) || len(m.Curve) == 0 || strings.HasPrefix(m.Operation, "check, ") {
			continue
		}
		if byClients[m.Clients] == nil {
			clients = append(clients, m.Clients)
		}
		byClients[m.Clients] = append(byClients[m.Clients], m)
		low, high = min(low, float64(m.Curve[0].Latency)), max(high, float64(rarest(m.Curve)))
	}
	var list []curves
	for _, n := range clients {
		list = append(list, r.curve(n, byClients[n], low, high))
	}
	return list
}

// curve draws with a logarithm on both axes: what is rare has as much room as
// what is common.
func (r *Report) curve(clients int, measured []Measurement, low, high float64) curves {
	c := curves{Title: clientsOf(clients), Width: 380, Height: 270, Left: 58, Right: 356, Top: 12, Bottom: 236}
	scale := decades(low, high)
	y := func(d load.Latency) float64 { return c.Bottom - (c.Bottom-c.Top)*scale.share(float64(d)) }
	x := func(share float64) float64 {
		return c.Left + (c.Right-c.Left)*min(1, -math.Log10(max(1-share, 1e-9))/4)
	}
	for _, t := range scale.ticks() {
		c.Y = append(c.Y, tick{y(load.Latency(t)), load.Latency(t).String()})
	}
	for _, share := range []float64{0, 0.9, 0.99, 0.999, drawn} {
		label := fmt.Sprintf("%g%%", math.Round(share*1e6)/1e4)
		c.X = append(c.X, tick{x(share), label})
	}
	for i, m := range measured {
		c.Lines = append(c.Lines, line{Color: r.color(m.Target), Label: m.Target, Points: points(m.Curve, x, y), Y: c.Top + 14 + 16*float64(i)})
	}
	return c
}

// drawn is the largest share that a plot shows.
const drawn = 0.9999

// rarest is the latency at the largest share that is drawn.
func rarest(curve []load.Point) load.Latency {
	var l load.Latency
	for _, p := range curve {
		if p.Share <= drawn {
			l = p.Latency
		}
	}
	return l
}

func points(curve []load.Point, x func(float64) float64, y func(load.Latency) float64) string {
	var b strings.Builder
	for _, p := range curve {
		if p.Share <= drawn {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(p.Share), y(p.Latency))
		}
	}
	return b.String()
}

// logScale maps from one power of ten to another onto 0 to 1.
type logScale struct{ from, to float64 } // exponents

func decades(low, high float64) logScale {
	s := logScale{math.Floor(math.Log10(max(low, 1))), math.Ceil(math.Log10(max(high, 1)))}
	if s.to <= s.from {
		s.to = s.from + 1
	}
	return s
}

func (s logScale) share(v float64) float64 {
	return min(1, max(0, (math.Log10(max(v, 1))-s.from)/(s.to-s.from)))
}

func (s logScale) ticks() []float64 {
	var list []float64
	for e := s.from; e <= s.to; e++ {
		list = append(list, math.Pow(10, e))
	}
	return list
}

// ranges shows every operation's latency: from the median to the 99th percentile.
type ranges struct {
	Width, Height, Left, Bottom float64
	X                           []tick
	Rows                        []span
}

type span struct {
	Y, From, To float64
	Color       int
	Label, Text string
}

func (r *Report) ranges() *ranges {
	low, high := math.Inf(1), 0.0
	for _, m := range r.Measurements {
		if m.Requests > 0 {
			low, high = min(low, float64(m.P50)), max(high, float64(m.P99))
		}
	}
	g := &ranges{Width: plotWidth, Left: labelRoom + 100}
	scale := decades(low, high)
	x := func(v float64) float64 { return g.Left + (plotWidth-130-g.Left)*scale.share(v) }
	for _, m := range r.Measurements {
		if m.Requests == 0 {
			continue
		}
		g.Rows = append(g.Rows, span{Y: float64(len(g.Rows)) * rowHeight, From: x(float64(m.P50)), To: x(float64(m.P99)),
			Color: r.color(m.Target), Label: m.label(), Text: m.P50.String() + " – " + m.P99.String()})
	}
	if len(g.Rows) == 0 {
		return nil
	}
	for _, t := range scale.ticks() {
		g.X = append(g.X, tick{x(t), load.Latency(t).String()})
	}
	g.Bottom = float64(len(g.Rows)) * rowHeight
	g.Height = g.Bottom + 24
	return g
}
