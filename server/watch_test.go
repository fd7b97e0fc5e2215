package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server"
	"github.com/pemba-authz/pemba/server/api"
)

// brief are the bounds of tests: heartbeats come soon.
var brief = server.Config{Heartbeat: 20 * time.Millisecond}

// until collects events, heartbeats left out, until one satisfies done.
func until(t *testing.T, store *client.Store, request api.WatchRequest, done func(api.Event) bool) []api.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []api.Event
	for event, err := range store.Watch(ctx, request) {
		if err != nil {
			t.Fatal(err)
		}
		if !heartbeat(event) {
			all = append(all, event)
		}
		if done(event) {
			break
		}
	}
	return all
}

func heartbeat(e api.Event) bool { return e.Store == "" && !e.Schema && len(e.Changes) == 0 }

// told is what events say, without their tokens and times.
func told(events []api.Event) []string {
	var all []string
	for _, e := range events {
		text := ""
		if e.Store != "" {
			text += "store " + string(e.Store) + "; "
		}
		if e.Schema {
			text += "schema; "
		}
		for _, c := range e.Changes {
			t, _ := c.Tuple.Tuple()
			text += string(c.Op) + " " + t.String() + "; "
		}
		all = append(all, text)
	}
	return all
}

func TestWatch(t *testing.T) {
	w := empty(t, brief)
	made, err := w.client.PutStore(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.PutSchema(t.Context(), source(model)); err != nil {
		t.Fatal(err)
	}
	w.touch("group:eng#member@user:ana", "document:a#viewer@group:eng#member")
	middle := w.touch("document:b#viewer@user:bob")
	deleted, err := w.DeleteTuples(t.Context(), api.DeleteRequest{Filter: api.Filter{ObjectType: "document"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.DeleteStore(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	gone := func(e api.Event) bool { return e.Store == api.StoreWasDeleted }
	all := until(t, w.Store, api.WatchRequest{Token: made.Token}, gone)
	want := []string{"schema; ", "create group:eng#member@user:ana; create document:a#viewer@group:eng#member; ", "create document:b#viewer@user:bob; ",
		"delete document:a#viewer@group:eng#member; delete document:b#viewer@user:bob; ", "store deleted; "}
	got := told(all)
	if len(got) != len(want) || !sameParts(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, test := range []struct {
		request api.WatchRequest
		want    []string
	}{
		{api.WatchRequest{Token: middle.Token}, want[3:]},
		{api.WatchRequest{Token: all[2].Token}, want[3:]},
		{api.WatchRequest{Token: deleted.Token}, want[4:]},
		{api.WatchRequest{Token: made.Token, Filter: api.Filter{ObjectType: "group"}}, []string{want[0], "create group:eng#member@user:ana; ", want[4]}},
		{api.WatchRequest{Token: made.Token, Filter: api.Filter{Subject: "user:bob"}}, []string{want[0], want[2], "delete document:b#viewer@user:bob; ", want[4]}},
	} {
		if got := told(until(t, w.Store, test.request, gone)); !sameParts(got, test.want) {
			t.Errorf("%+v: got %q, want %q", test.request, got, test.want)
		}
	}
	// Behind the deletion there is no store; and once there is a new one, what the old
	// one held is not for those who made it.
	ended := func(token tuple.Token) error {
		for event, err := range w.Watch(t.Context(), api.WatchRequest{Token: token}) {
			if err != nil {
				return err
			}
			if heartbeat(event) && token == all[4].Token {
				return nil
			}
		}
		return nil
	}
	if err := ended(deleted.Token); !errors.Is(err, api.StoreDeleted) {
		t.Errorf("behind the last event the watch ended with %v", err)
	}
	if err := ended(all[4].Token); !errors.Is(err, api.UnknownStore) {
		t.Errorf("a watch of a store that is gone: %v", err)
	}
	if _, err := w.client.PutStore(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if err := ended(middle.Token); !errors.Is(err, api.HistoryExpired) {
		t.Errorf("a watch of the store before: %v", err)
	}
	anew := until(t, w.Store, api.WatchRequest{Token: all[4].Token}, func(e api.Event) bool { return e.Store != "" })
	if got := told(anew); !slices.Equal(got, []string{"store created; "}) {
		t.Errorf("behind the deletion: %q", got)
	}
}

// sameParts compares what was told, whatever the order of the changes of one revision.
func sameParts(got, want []string) bool {
	parts := func(text string) string {
		all := strings.Split(text, "; ")
		slices.Sort(all)
		return strings.Join(all, "; ")
	}
	return slices.EqualFunc(got, want, func(a, b string) bool { return parts(a) == parts(b) })
}

// A revision of many changes comes in several lines, whose last alone has the token.
func TestWatchOfALargeRevision(t *testing.T) {
	w := start(t, brief)
	const count = 2500
	var many []string
	for i := range count {
		many = append(many, fmt.Sprintf("group:g%d#member@user:ana", i))
	}
	begin := w.touch("group:eng#member@user:first")
	w.touch(many...)
	w.touch("group:eng#member@user:last")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var sizes []int
	for event, err := range w.Watch(ctx, api.WatchRequest{Token: begin.Token}) {
		if err != nil {
			t.Fatal(err)
		}
		if heartbeat(event) {
			continue
		}
		if sizes = append(sizes, len(event.Changes)); len(sizes) == 2 {
			break
		}
	}
	if !slices.Equal(sizes, []int{count, 1}) {
		t.Errorf("the events have %v changes, want %d and 1", sizes, count)
	}
	lines := w.lines(t, "token="+string(begin.Token), "", 5)
	var got []string
	for _, text := range lines[1:] {
		var line api.WatchLine
		if err := json.Unmarshal([]byte(text), &line); err != nil || line.Change == nil {
			t.Fatalf("%s: %v", text, err)
		}
		got = append(got, fmt.Sprint(len(line.Change.Changes), line.Change.More, line.Change.Token != ""))
	}
	if want := []string{"1000 true false", "1000 true false", "500 false true", "1 false true"}; !slices.Equal(got, want) {
		t.Errorf("the lines are %q, want %q", got, want)
	}
}

// lines reads the first lines of a watch as they are sent.
func (w *world) lines(t *testing.T, query, accept string, n int, headers ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", w.url+"/v1/stores/acme/watch?"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var all []string
	for scan := bufio.NewReaderSize(response.Body, 1<<20); len(all) < n; {
		line, err := scan.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, strings.TrimSuffix(line, "\n"))
	}
	return all
}

func TestWatchAsServerSentEvents(t *testing.T) {
	w := start(t, brief)
	first := w.touch("group:eng#member@user:x")
	w.touch("group:eng#member@user:y")
	got := w.lines(t, "token="+string(first.Token), api.EventStream, 8)
	id := func(i int) string { return strings.TrimPrefix(got[i], "id: ") }
	if got[0] != "event: heartbeat" || got[4] != "event: change" || !strings.HasPrefix(got[6], `data: {"token":"`+id(5)+`"`) || got[7] != "" || got[3] != "" {
		t.Errorf("got %q", got)
	}
	again := w.lines(t, "token="+string(first.Token), api.EventStream, 5, "Last-Event-ID", id(5))
	if again[4] == "event: change" {
		t.Errorf("behind the last event it came again: %q", again)
	}
}

func TestWatchRefusals(t *testing.T) {
	w := start(t, brief)
	other := start(t, brief).touch("group:eng#member@user:x")
	for query, code := range map[string]api.Code{
		"token=abc":                     api.InvalidToken,
		"token=" + string(other.Token):  api.ForeignToken,
		"object=nothing":                api.InvalidValue,
		"object_type=grop":              api.UnknownType,
		"relation=membr":                api.UnknownRelation,
		"type=group":                    api.UnknownMember,
		"relation=member&relation=view": api.DuplicateMember,
	} {
		if got := w.send("GET /v1/stores/acme/watch?"+query, ""); got.problem == nil || got.problem.Code != code {
			t.Errorf("%s: %d %s, want %s", query, got.status, got.body, code)
		}
	}
	if got := w.send("GET /v1/stores/nothing/watch", ""); got.problem == nil || got.problem.Code != api.UnknownStore {
		t.Errorf("a store that is not there: %s", got.body)
	}
}

func TestWatchersAreBounded(t *testing.T) {
	config := brief
	config.Watchers = 2
	w := start(t, config)
	ctx, cancel := context.WithCancel(t.Context())
	var open sync.WaitGroup
	begun := make(chan struct{}, 2)
	for range 2 {
		open.Go(func() {
			once := sync.OnceFunc(func() { begun <- struct{}{} })
			for _, err := range w.Watch(ctx, api.WatchRequest{}) {
				if once(); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	<-begun
	<-begun
	if got := w.send("GET /v1/stores/acme/watch", ""); got.problem == nil || got.problem.Code != api.Overloaded || !got.problem.Retry {
		t.Errorf("a third watch: %s", got.body)
	}
	if ok, err := w.Allowed(t.Context(), "document:readme", "view", "user:ana"); err != nil || !ok {
		t.Errorf("a check beside them: %v, %v", ok, err)
	}
	cancel()
	open.Wait()
}

// A node that stops ends its streams at once, each with the token to go on from.
func TestWatchEndsWithTheServer(t *testing.T) {
	w := start(t, brief)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- server.New(w.node, server.Config{}).Serve(ctx, listener) }()
	response, err := http.Get("http://" + listener.Addr().String() + "/v1/stores/acme/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Scan()
	stop()
	var last []api.WatchLine
	for lines.Scan() {
		var line api.WatchLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		last = append(last, line)
	}
	if n := len(last); n < 2 || last[n-2].Heartbeat == nil || last[n-1].Problem == nil || last[n-1].Problem.Code != api.NotReady || !last[n-1].Problem.Retry {
		t.Errorf("the last lines are %+v", last)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// Who does not read keeps no write waiting, and is let go.
func TestWatchOfAStuckReader(t *testing.T) {
	config := brief
	config.RequestTimeout = 300 * time.Millisecond
	w := start(t, brief)
	conn, err := net.Dial("tcp", strings.TrimPrefix(serve(t, w.node, config), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(256 << 10); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /v1/stores/acme/watch HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := conn.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	var tuples []string
	for i := range 1000 {
		tuples = append(tuples, fmt.Sprintf("group:%s%d#member@user:ana", strings.Repeat("long", 50), i))
	}
	for range 20 { // far more than the sockets hold
		w.touch(tuples...)
		if _, err := w.DeleteTuples(t.Context(), api.DeleteRequest{Filter: api.Filter{Subject: "user:ana"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * config.RequestTimeout)
	read := 0
	for buf := make([]byte, 64<<10); ; {
		n, err := conn.Read(buf)
		read += n
		if err != nil { // let go, with whatever was under way
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Errorf("the stuck reader was not let go after %d bytes", read)
			}
			return
		}
		if read > 200<<20 {
			t.Fatal("the stuck reader got everything")
		}
	}
}

// restless is three nodes whose servers, at fixed addresses, come and go.
type restless struct {
	t       *testing.T
	configs []raftstore.Config
	nodes   []*raftstore.Node
	webs    []*httptest.Server
	urls    []string
}

func (c *restless) start(i int) {
	node, err := raftstore.Open(c.t.Context(), c.configs[i])
	if err != nil {
		c.t.Error(err)
		return
	}
	listener, err := net.Listen("tcp", strings.TrimPrefix(c.urls[i], "http://"))
	if err != nil {
		c.t.Error(err)
		return
	}
	web := httptest.NewUnstartedServer(server.New(node, brief))
	web.Listener.Close()
	web.Listener = listener
	web.Start()
	c.nodes[i], c.webs[i] = node, web
}

// stop ends a server without a word to its clients, and then its node.
func (c *restless) stop(i int) {
	c.webs[i].Listener.Close()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		c.webs[i].CloseClientConnections()
		if closed(c.webs[i]) {
			break
		}
	}
	if err := c.nodes[i].Close(); err != nil {
		c.t.Error(err)
	}
}

func closed(web *httptest.Server) bool {
	done := make(chan struct{})
	go func() { web.Close(); close(done) }()
	select {
	case <-done:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}

// TestWatchOverACluster: watchers with filters of their own follow random writes
// over three nodes that are stopped and started, the leader mostly; each rebuilds,
// from its events alone, what the store holds at every revision that it is told of.
func TestWatchOverACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("runs three nodes")
	}
	c := &restless{t: t, nodes: make([]*raftstore.Node, 3), webs: make([]*httptest.Server, 3)}
	folder := t.TempDir()
	t.Cleanup(func() {
		for i := range c.nodes {
			if c.nodes[i] != nil {
				c.stop(i)
			}
		}
	})
	for i := range 3 {
		config := raftstore.Config{Dir: filepath.Join(folder, fmt.Sprint(i)), NoSync: true, ListenAddr: freeAddress(t), HeartbeatTimeout: 200 * time.Millisecond, Insecure: true}
		if i > 0 {
			config.Join = []string{c.configs[0].ListenAddr}
		}
		c.configs, c.urls = append(c.configs, config), append(c.urls, "http://"+freeAddress(t))
		c.start(i)
		if err := c.nodes[i].WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	store := func(first int) *client.Store {
		conn, err := client.New(client.Config{Addresses: slices.Concat(c.urls[first:], c.urls[:first]), Retries: 1000, Backoff: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn.Store("acme")
	}
	writer := store(0)
	begun, err := dial(t, c.urls[0]).PutStore(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writer.PutSchema(t.Context(), source(model)); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	filters := []api.Filter{{}, {}, {ObjectType: "group"}, {Subject: "user:u1"}, {ObjectType: "folder", Relation: "banned"}}
	for i, filter := range filters {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		work.Go(func() { follow(t, store(i%3), r, begun.Token, filter) })
	}
	r := rand.New(rand.NewPCG(7, 7))
	c.write(writer, r, 150)
	for round := range 4 {
		i := round % 3
		for j, node := range c.nodes { // the leader, three times of four
			if round != 2 && node.Status().Role == "leader" {
				i = j
			}
		}
		c.stop(i)
		c.write(writer, r, 60)
		c.start(i)
		c.write(writer, r, 60)
	}
	if _, err := writer.PutSchema(t.Context(), source(model+"\n// the end\n")); err != nil {
		t.Fatal(err)
	}
	work.Wait()
}

// write makes random changes.
func (c *restless) write(store *client.Store, r *rand.Rand, n int) {
	c.t.Helper()
	for range n {
		var request api.WriteRequest
		used := map[string]bool{}
		for range 1 + r.IntN(4) {
			text := []string{
				fmt.Sprintf("group:g%d#member@user:u%d", r.IntN(5), r.IntN(5)),
				fmt.Sprintf("folder:f%d#viewer@group:g%d#member", r.IntN(5), r.IntN(5)),
				fmt.Sprintf("folder:f%d#banned@user:u%d", r.IntN(5), r.IntN(5)),
			}[r.IntN(3)]
			if used[text] {
				continue
			}
			used[text] = true
			request.Operations = append(request.Operations, api.Operation{Op: []api.Op{api.Touch, api.Touch, api.Delete}[r.IntN(3)], Tuple: wire(c.t, text)[0]})
		}
		if _, err := store.Write(c.t.Context(), request); err != nil {
			c.t.Error(err)
			return
		}
	}
}

// follow rebuilds what a filter selects from the events, leaving the watch and
// coming back at random, and compares it with the store at some of the revisions.
// The second schema that is written ends it.
func follow(t *testing.T, store *client.Store, r *rand.Rand, token tuple.Token, filter api.Filter) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	selects, _ := filter.Filter()
	have := map[string]bool{}
	same := func(token tuple.Token) bool { // false where no node could say, too
		want := map[string]bool{}
		for found, err := range store.Tuples(ctx, api.ReadRequest{Consistency: api.AtExactSnapshot(token)}) {
			if err != nil {
				return false
			}
			if tu, _ := found.Tuple(); selects.Matches(tu.Key) {
				want[tu.Key.String()] = true
			}
		}
		if !maps.Equal(have, want) {
			t.Errorf("with %+v: the events add up to %d tuples, the store has %d", filter, len(have), len(want))
			return false
		}
		return true
	}
	events, compared, schemas := 0, 0, 0
	for ctx.Err() == nil {
		stay := 1 + r.IntN(100)
		for event, err := range store.Watch(ctx, api.WatchRequest{Token: token, Filter: filter}) {
			if err != nil {
				t.Errorf("the watch with %+v ended: %v", filter, err)
				return
			}
			for _, change := range event.Changes {
				key := change.Object + "#" + change.Relation + "@" + change.Subject
				switch present, known := change.Op.Present(); {
				case known && present == have[key]:
					t.Errorf("%s %s, and it was so before: an event was lost or came twice", change.Op, key)
					return
				case present:
					have[key] = true
				case known:
					delete(have, key)
				}
			}
			token = event.Token
			if events++; events%40 == 0 && same(token) {
				compared++
			}
			if t.Failed() {
				return
			}
			if event.Schema {
				if schemas++; schemas == 2 { // the last thing that happens
					for ctx.Err() == nil && !same(event.Token) && !t.Failed() {
						time.Sleep(time.Millisecond)
					}
					if filter == (api.Filter{}) && events < 100 || compared == 0 {
						t.Errorf("with %+v only %d events came, %d were compared", filter, events, compared)
					}
					return
				}
			}
			if stay--; stay == 0 {
				break
			}
		}
	}
	t.Error("it took too long")
}
