package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"count":   count,
	"percent": func(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) },
	"date":    func(t time.Time) string { return t.Format("2 January 2006, 15:04 MST") },
}).Parse(pageText))

// HTML writes the report as one page that needs nothing else: tables, and plots
// of throughput and latency, light or dark as the reader's system is.
func (r *Report) HTML(w io.Writer) error {
	return page.Execute(w, struct {
		*Report
		Answers    string
		Throughput *bars
		Curves     []curves
		Ranges     *ranges
	}{r, r.answers(), r.throughput(), r.curves(), r.ranges()})
}

// answers says how many there were and how many were wrong.
func (r *Report) answers() string {
	n := 0
	for _, m := range r.Measurements {
		n += m.Requests
	}
	return fmt.Sprintf("%s requests answered, %d answered wrong, %d failed", count(float64(n)), r.Wrong(), r.Failed())
}

// count returns a number with commas between thousands, and digits behind the
// point where it is small.
func count(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	text := fmt.Sprintf("%.0f", n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// series gives each target one colour, the same in all plots.
func (r *Report) series() []string {
	var names []string
	for _, m := range r.Measurements {
		if !slices.Contains(names, m.Target) {
			names = append(names, m.Target)
		}
	}
	return names
}

func (r *Report) color(target string) int { return slices.Index(r.series(), target) % 6 }

// plotted are the checks in a closed loop, and the constant answers beside them.
func plotted(m Measurement) bool {
	return (m.Kind == OpCheck || m.Kind == kindCeiling) && m.Requests > 0
}

func clientsOf(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// label says which measurement it is.
func (m Measurement) label() string {
	text := m.Target + ": " + m.Operation
	if m.Kind == kindCeiling {
		text = "constant answer"
	}
	text = strings.Replace(text, "objects, ", "objects: ", 1)
	if m.Clients > 1 {
		text += ", " + clientsOf(m.Clients)
	}
	return text
}
