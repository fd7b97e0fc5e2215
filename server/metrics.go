package server

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore"
)

// metrics are what /metrics shows. None is labelled by store, object or subject:
// their number is not bounded, and who is asked about is nobody's business there.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by route and status
	duration *prometheus.HistogramVec // by route
	answers  *prometheus.CounterVec   // checks, by result
	panics   prometheus.Counter

	outcomes [3]prometheus.Counter // of answers, by engine.Outcome
	failures prometheus.Counter    // of answers
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pemba_http_requests_total",
			Help: "Requests by route and status."}, []string{"route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pemba_http_request_seconds",
			Help:    "How long requests took, by route.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}}, []string{"route"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pemba_check_answers_total",
			Help: "Answers of checks by result; error is not an answer."}, []string{"result"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "pemba_panics_total",
			Help: "Requests that panicked inside the server."}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.answers, m.panics,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, outcome := range []engine.Outcome{engine.Denied, engine.Conditional, engine.Allowed} {
		m.outcomes[outcome] = m.answers.WithLabelValues(string(result(outcome)))
	}
	m.failures = m.answers.WithLabelValues("error")
	return m
}

// watch adds what the node says of itself.
func (m *metrics) watch(node *raftstore.Node, watchers *atomic.Int64) {
	for why := range node.Strangers() {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "pemba_cluster_port_refused_total",
			Help: "Connections to the cluster port that were refused, by reason.", ConstLabels: prometheus.Labels{"reason": why}},
			func() float64 { return float64(node.Strangers()[why]) }))
	}
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_watchers", Help: "Streams of changes that are open."},
			func() float64 { return float64(watchers.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_applied_revision", Help: "The last revision that this node has applied."},
			func() float64 { return float64(node.Status().Applied) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_graph_tuples", Help: "Tuples in the graph indexes of all stores in memory."},
			func() float64 { return float64(node.Graphs().Tuples) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_graph_bytes",
			Help: "Memory of the graph indexes of all stores. It lies outside the Go heap."},
			func() float64 { return float64(node.Graphs().Bytes) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_graph_unsettled",
			Help: "What writes have left in the graph indexes that open views may still see: it grows while one is open for long."},
			func() float64 { return float64(node.Graphs().Retired) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_ready", Help: "1 when the node serves."},
			func() float64 {
				if node.Ready() {
					return 1
				}
				return 0
			}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_damaged",
			Help: "1 while the node's data is damaged: it has halted, or rebuilds itself from the other members."},
			func() float64 {
				if s := node.Status(); s.Fault != nil || s.Rebuilding != nil {
					return 1
				}
				return 0
			}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "pemba_rebuilds_total", Help: "How often the node has rebuilt its damaged data."},
			func() float64 { return float64(node.Status().Rebuilt) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pemba_disk_full", Help: "1 while the disk is nearly full and the node writes no more."},
			func() float64 {
				if node.Status().DiskFull {
					return 1
				}
				return 0
			}))
}

// route is a route of the table with its metrics, which need not be looked up for
// every request.
type route struct {
	pattern  string
	duration prometheus.Observer
	well     prometheus.Counter // requests with status 200
}

func (m *metrics) route(pattern string) *route {
	return &route{pattern: pattern, duration: m.duration.WithLabelValues(pattern), well: m.requests.WithLabelValues(pattern, "200")}
}

func (m *metrics) observe(r *route, status int, took time.Duration) {
	if status == http.StatusOK {
		r.well.Inc()
	} else {
		m.requests.WithLabelValues(r.pattern, strconv.Itoa(status)).Inc()
	}
	r.duration.Observe(took.Seconds())
}

// outcomeCounts counts the answers of a batch.
type outcomeCounts struct {
	outcomes [3]atomic.Int64 // by engine.Outcome
	failed   atomic.Int64
}

func (m *metrics) answered(counts *outcomeCounts) {
	for outcome := range counts.outcomes {
		m.outcomes[outcome].Add(float64(counts.outcomes[outcome].Load()))
	}
	m.failures.Add(float64(counts.failed.Load()))
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
