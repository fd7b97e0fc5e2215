package server

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/server/api"
)

// bare is a server without a node, for what does not need one.
func bare(config Config) *Server {
	config = config.withDefaults()
	s := &Server{config: config, limits: config.apiLimits(), mux: http.NewServeMux()}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.lane, s.metrics = newLane(1, 1), newMetrics()
	s.noRoute = s.metrics.route("none")
	return s
}

// constants lists the constants of a type by name and text.
func constants(t *testing.T, folder, typ string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && len(spec.Values) == 1 && fmt.Sprint(spec.Type) == typ {
				if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
					text, _ := strconv.Unquote(literal.Value)
					found[spec.Names[0].Name] = text
				}
			}
			return true
		})
	}
	if len(found) == 0 {
		t.Fatalf("%s has no constants of type %s", folder, typ)
	}
	return found
}

// Whatever apply and admission refuse has a code of its own on the wire.
func TestEveryRefusalHasACode(t *testing.T) {
	for name, text := range constants(t, "../raftstore/command", "Code") {
		if _, ok := rejections[command.Code(text)]; !ok {
			t.Errorf("command.%s is not in the table", name)
		}
	}
	for name, text := range constants(t, "../schema", "RefusalCode") {
		code, ok := refusals[schema.RefusalCode(text)]
		if !ok || string(code) != text {
			t.Errorf("schema.%s (%s) is %q on the wire", name, text, code)
		}
	}
}

// notForClients are the sentinels of the cluster's own traffic and of operations
// that no route runs.
var notForClients = []string{"ErrExistingState", "ErrOtherCluster", "ErrProtocol", "ErrCertificate", "ErrInsecurePort", "ErrDiffers"}

// Every sentinel of the node has a code.
func TestEverySentinelHasACode(t *testing.T) {
	text, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), "../raftstore/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name := range file.Scope.Objects {
		if strings.HasPrefix(name, "Err") && !slices.Contains(notForClients, name) && !strings.Contains(string(text), "raftstore."+name+",") {
			t.Errorf("raftstore.%s is not in the table", name)
		}
	}
}

func TestProblemsOfErrors(t *testing.T) {
	s := bare(Config{})
	for _, test := range []struct {
		err    error
		code   api.Code
		status int
	}{
		{errors.New("the disk is at /var/secret"), api.Internal, 500},
		{fmt.Errorf("proposing: %w", raftstore.ErrOutcomeUnknown), api.OutcomeUnknown, 503},
		{fmt.Errorf("reading: %w", context.DeadlineExceeded), api.DeadlineExceeded, 504},
		{fmt.Errorf("%w (%w)", raftstore.ErrOutcomeUnknown, context.DeadlineExceeded), api.OutcomeUnknown, 503},
		{&raftstore.RevisionError{Err: raftstore.ErrRevisionUnavailable}, api.HistoryExpired, 410},
		{&raftstore.RevisionError{Err: raftstore.ErrTokenAhead}, api.TokenAhead, 409},
		{fmt.Errorf("x: %w", &command.Rejection{Code: "later_than_this_build", Message: "no", Operation: 2}), api.InvalidTuple, 422},
		{&command.Rejection{Code: "subject_not_admitted", Message: "no", Operation: 2}, api.SubjectNotAdmitted, 422},
	} {
		problem := s.problem("", test.err)
		if problem.Code != test.code || problem.Status != test.status || strings.Contains(problem.Detail, "secret") {
			t.Errorf("%v became %+v, want %s", test.err, problem, test.code)
		}
	}
}

func TestPanicIsAProblem(t *testing.T) {
	var log strings.Builder
	s := bare(Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.handle("GET /early", func(w http.ResponseWriter, r *http.Request) error { panic("password=hunter2") })
	s.handle("GET /late", func(w http.ResponseWriter, r *http.Request) error {
		io.WriteString(w, `{"allowed":`)
		http.NewResponseController(w).Flush()
		panic("late")
	})
	s.handle("GET /late/error", func(w http.ResponseWriter, r *http.Request) error {
		io.WriteString(w, `{"allowed":`)
		http.NewResponseController(w).Flush()
		return errors.New("late")
	})
	web := httptest.NewServer(s)
	defer web.Close()

	response, err := http.Get(web.URL + "/early?token=hunter3")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var problem api.Problem
	text, _ := io.ReadAll(response.Body)
	if err := json.Unmarshal(text, &problem); err != nil || response.StatusCode != 500 || problem.Code != api.Internal || strings.Contains(string(text), "hunter") {
		t.Errorf("got %d %s", response.StatusCode, text)
	}
	if id := response.Header.Get(requestID); id == "" || !strings.Contains(problem.Detail, id) || !strings.Contains(log.String(), id) {
		t.Errorf("the log does not name request %q: %s", id, log.String())
	}
	if strings.Contains(log.String(), "hunter3") {
		t.Errorf("the log holds the query: %s", log.String())
	}
	for _, path := range []string{"/late", "/late/error"} {
		response, err := http.Get(web.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%s: an answer that was begun ended well: %s", path, text)
		}
		response.Body.Close()
	}
}

func TestOverload(t *testing.T) {
	s := bare(Config{Requests: 1})
	entered, leave := make(chan struct{}), make(chan struct{})
	s.handle("GET /slow", func(w http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-leave
		return respond(w, http.StatusOK, api.Health{})
	})
	done := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/slow", nil))
		done <- w.Code
	}()
	<-entered
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/slow", nil))
	if w.Code != 503 || !strings.Contains(w.Body.String(), string(api.Overloaded)) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	close(leave)
	if code := <-done; code != 200 {
		t.Errorf("the first request got %d", code)
	}
}
