package server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server"
)

// The benchmarks ask a drive: users in nested groups, a tree of folders with
// documents in them, grants at all levels, a few users blocked. PEMBA_BENCH_TUPLES
// is how many tuples it has, about; 0 is 100,000.

const driveModel = `pemba 1
type user
type group { relation member: [user | group#member] }
type folder {
  relation parent: [folder]
  relation viewer: [user | user:* | group#member]
  permission view = viewer or parent->view
}
type document {
  relation parent:  [folder]
  relation viewer:  [user | user:* | group#member]
  relation editor:  [user | group#member]
  relation owner:   [user]
  relation blocked: [user]
  permission view = (viewer or editor or owner or parent->view) except blocked
}
`

type drive struct {
	node                              *raftstore.Node
	users, groups, folders, documents int
	random                            *rand.Rand
}

func driveTuples() int {
	if n, err := strconv.Atoi(os.Getenv("PEMBA_BENCH_TUPLES")); err == nil && n > 0 {
		return n
	}
	return 100_000
}

// newDrive runs a node that holds a drive.
func newDrive(b *testing.B) *drive {
	b.Helper()
	n := driveTuples()
	w := empty(b, server.Config{})
	if _, err := w.PutSchema(b.Context(), source(driveModel)); err != nil {
		b.Fatal(err)
	}
	d := &drive{node: w.node, users: n / 10, groups: n/100 + 2, folders: n/25 + 2, documents: n / 3, random: rand.New(rand.NewPCG(1, 2))}
	var chunk []tuple.Tuple
	flush := func() {
		if _, err := d.node.Import(b.Context(), "acme", chunk); err != nil {
			b.Fatal(err)
		}
		chunk = chunk[:0]
	}
	for key := range d.tuples {
		if chunk = append(chunk, tuple.Tuple{Key: key}); len(chunk) == raftstore.MaxImport {
			flush()
		}
	}
	flush()
	return d
}

func (d *drive) tuples(yield func(tuple.Key) bool) {
	one := func(object string, id int, relation, subject string, sid int, member string) bool {
		return yield(tuple.Key{Object: tuple.Object{Type: object, ID: strconv.Itoa(id)}, Relation: relation,
			Subject: tuple.Subject{Type: subject, ID: strconv.Itoa(sid), Relation: member}})
	}
	good := true
	for g := 1; g < d.groups && good; g++ {
		good = one("group", (g-1)/5, "member", "group", g, "member")
	}
	for u := 0; u < d.users && good; u++ {
		good = one("group", d.random.IntN(d.groups/2), "member", "user", u, "") && one("group", d.groups-1-u%(d.groups/2), "member", "user", u, "")
	}
	for f := 1; f < d.folders && good; f++ {
		good = one("folder", f, "parent", "folder", (f-1)/8, "") && one("folder", f, "viewer", "group", d.groups/5+d.random.IntN(d.groups*4/5), "member")
	}
	for i := 0; i < d.documents && good; i++ {
		good = one("document", i, "parent", "folder", d.random.IntN(d.folders), "") && one("document", i, "owner", "user", d.random.IntN(d.users), "")
		if i%10 == 0 {
			good = good && one("document", i, "blocked", "user", d.random.IntN(d.users), "")
		}
	}
}

func (d *drive) question() string {
	return fmt.Sprintf(`{"object":"document:%d","permission":"view","subject":"user:%d"}`, d.random.IntN(d.documents), d.random.IntN(d.users))
}

const checkHead = "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: %d\r\n\r\n%s"

// checks are requests to be sent as they stand.
func (d *drive) checks(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		body := d.question()
		list[i] = fmt.Appendf(nil, checkHead, "/v1/stores/acme/check", len(body), body)
	}
	return list
}

func (d *drive) batch(items int) string {
	var body bytes.Buffer
	body.WriteString(`{"checks":[`)
	for i := range items {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(d.question())
	}
	body.WriteString(`]}`)
	return body.String()
}

// sink takes an answer that nobody reads.
type sink struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { return s.body.Write(b) }

type rewound struct{ *bytes.Reader }

func (rewound) Close() error { return nil }

// serveBodies measures the handler alone, without a connection.
func serveBodies(b *testing.B, node *raftstore.Node, path string, bodies []string) {
	b.Helper()
	handler := server.New(node, server.Config{})
	request, err := http.NewRequestWithContext(b.Context(), "POST", path, nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	reader := rewound{bytes.NewReader(nil)}
	out := &sink{header: http.Header{}}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		body := bodies[i%len(bodies)]
		i++
		reader.Reset([]byte(body))
		request.Body, request.ContentLength = reader, int64(len(body))
		clear(out.header)
		out.body.Reset()
		handler.ServeHTTP(out, request)
		if out.status != 200 {
			b.Fatal(out.status, out.body.String())
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	d := newDrive(b)
	questions := make([]string, 1<<14)
	for i := range questions {
		questions[i] = d.question()
	}
	b.Run("check", func(b *testing.B) { serveBodies(b, d.node, "/v1/stores/acme/check", questions) })
	one := []string{`{"object":"document:1","permission":"owner","subject":"user:1"}`} // costs the engine little
	b.Run("relation", func(b *testing.B) { serveBodies(b, d.node, "/v1/stores/acme/check", one) })
	batches := make([]string, 16)
	for i := range batches {
		batches[i] = d.batch(1000)
	}
	b.Run("batch1000", func(b *testing.B) {
		serveBodies(b, d.node, "/v1/stores/acme/check/batch", batches)
		b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "items/s")
	})
}

// loaded is what load saw. Work does not depend on who else uses the machine.
type loaded struct {
	rate float64 // answers per second
	work float64 // seconds of the process per answer, this side's included
	span float64 // seconds
}

func spent() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// load sends requests over so many connections, one after the other on each.
// Every answer must have status 200.
func load(b *testing.B, address string, clients int, requests [][]byte, span time.Duration) loaded {
	b.Helper()
	var (
		group  sync.WaitGroup
		served atomic.Int64
		failed atomic.Value
	)
	began, before := time.Now(), spent()
	end := began.Add(span)
	for c := range clients {
		group.Go(func() {
			n, err := pump(address, requests, c*len(requests)/clients, end)
			if err != nil {
				failed.Store(err)
			}
			served.Add(int64(n))
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(err)
	}
	n := float64(served.Load())
	took := time.Since(began).Seconds()
	return loaded{rate: n / took, work: (spent() - before) / n, span: took}
}

// pump is one connection of load.
func pump(address string, requests [][]byte, at int, end time.Time) (n int, err error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	buf := make([]byte, 2<<20)
	for ; time.Now().Before(end); n++ {
		at = (at + 1) % len(requests)
		if _, err := conn.Write(requests[at]); err != nil {
			return n, err
		}
		if err := answered(conn, buf); err != nil {
			return n, err
		}
	}
	return n, nil
}

// answered reads one answer with a Content-Length.
func answered(conn net.Conn, buf []byte) error {
	have, want := 0, -1
	for want < 0 || have < want {
		if have == len(buf) {
			return io.ErrShortBuffer
		}
		n, err := conn.Read(buf[have:])
		if err != nil {
			return err
		}
		have += n
		if want < 0 {
			if head := bytes.Index(buf[:have], []byte("\r\n\r\n")); head >= 0 {
				_, rest, _ := bytes.Cut(buf[:head], []byte("Content-Length: "))
				length, _, _ := bytes.Cut(rest, []byte("\r\n"))
				n, err := strconv.Atoi(string(length))
				if err != nil || !bytes.HasPrefix(buf, []byte("HTTP/1.1 200 ")) {
					return fmt.Errorf("answered %q", buf[:have])
				}
				want = head + 4 + n
			}
		}
	}
	return nil
}

// listening serves a handler's like on a port of its own until the benchmark ends.
func listening(b *testing.B, serve func(ctx context.Context, l net.Listener) error) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l) }()
	b.Cleanup(func() {
		stop()
		<-done
	})
	return l.Addr().String()
}

// constantAnswer is the least that a net/http server can do.
func constantAnswer(ctx context.Context, l net.Listener) error {
	answer := []byte(`{"allowed":true,"result":"allowed","missing":[],"token":"AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","evaluated_at":"2026-01-01T12:00:00.123456789Z"}` + "\n")
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	})}
	go func() {
		<-ctx.Done()
		web.Close()
	}()
	return web.Serve(l)
}

// BenchmarkHTTP compares checks over loopback with a net/http server whose answer
// is constant, in turns. Run it with -benchtime 1x: every run takes five seconds a
// line and reports the medians.
func BenchmarkHTTP(b *testing.B) {
	d := newDrive(b)
	ours := listening(b, server.New(d.node, server.Config{}).Serve)
	constant := listening(b, constantAnswer)
	requests := d.checks(1 << 14)
	batches := make([][]byte, 16)
	for i := range batches {
		body := d.batch(1000)
		batches[i] = fmt.Appendf(nil, checkHead, "/v1/stores/acme/check/batch", len(body), body)
	}
	const turn = 500 * time.Millisecond
	compare := func(name string, clients int, asked [][]byte) {
		b.Run(fmt.Sprintf("%s/%d", name, clients), func(b *testing.B) {
			for b.Loop() {
				var mine, least, ratios, work []float64
				for range 5 {
					a, c := load(b, ours, clients, asked, turn), load(b, constant, clients, asked, turn)
					mine, least, ratios, work = append(mine, a.rate), append(least, c.rate), append(ratios, a.rate/c.rate), append(work, c.work/a.work)
				}
				b.ReportMetric(median(mine), "checks/s")
				b.ReportMetric(median(least), "constant/s")
				b.ReportMetric(median(ratios), "ratio")
				b.ReportMetric(median(work), "cpu-ratio")
			}
		})
	}
	for _, clients := range []int{1, 16, 64} {
		compare("check", clients, requests)
	}
	relation := []byte(`{"object":"document:1","permission":"owner","subject":"user:1"}`)
	compare("relation", 16, [][]byte{fmt.Appendf(nil, checkHead, "/v1/stores/acme/check", len(relation), relation)})
	for _, clients := range []int{1, 2, 16} {
		b.Run(fmt.Sprintf("batch1000/%d", clients), func(b *testing.B) {
			for b.Loop() {
				var list []float64
				for range 5 {
					list = append(list, load(b, ours, clients, batches, turn).rate)
				}
				b.ReportMetric(1000*median(list), "items/s")
			}
		})
	}
}

// BenchmarkNeighbours measures 16 clients that check, alone and beside one that
// asks for what costs most, in turns: the ratio of their rates, and which part of
// the processor they had, which does not depend on who else uses the machine.
func BenchmarkNeighbours(b *testing.B) {
	d := newDrive(b)
	ours := listening(b, server.New(d.node, server.Config{}).Serve)
	requests := d.checks(1 << 14)
	greedy := map[string][]byte{}
	for name, ask := range map[string][2]string{
		"objects":  {"lookup/objects", `{"object_type":"document","permission":"view","subject":"user:1","limit":10000}`},
		"subjects": {"lookup/subjects", `{"object":"document:1","permission":"view","subject_type":"user","limit":10000}`},
		"batch":    {"check/batch", d.batch(5000)},
		"read":     {"tuples/read", `{"limit":10000}`},
	} {
		greedy[name] = fmt.Appendf(nil, checkHead, "/v1/stores/acme/"+ask[0], len(ask[1]), ask[1])
	}
	const turn = 200 * time.Millisecond
	for _, name := range slices.Sorted(maps.Keys(greedy)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var ratios, rates, shares []float64
				for range 15 {
					alone := load(b, ours, 16, requests, turn)
					before := spent()
					var group sync.WaitGroup
					group.Go(func() { rates = append(rates, load(b, ours, 4, [][]byte{greedy[name]}, turn).rate) })
					beside := load(b, ours, 16, requests, turn)
					shares = append(shares, alone.work*beside.rate*beside.span/(spent()-before))
					ratios = append(ratios, beside.rate/alone.rate)
					group.Wait()
				}
				b.ReportMetric(median(shares), "cpu-share")
				b.ReportMetric(median(ratios), "ratio")
				b.ReportMetric(median(rates), "greedy/s")
			}
		})
	}
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
