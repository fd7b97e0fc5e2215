package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/examples"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pemba": func() { os.Exit(run()) }})
}

// TestScripts runs the command as people do: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			return os.CopyFS(filepath.Join(env.WorkDir, "examples"), examples.Files)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"port": portCommand, "ready": readyCommand, "exits": exitsCommand, "cluster": clusterIDCommand, "token": tokenCommand},
	})
}

// portCommand puts a free port of this machine into a variable: port NAME.
func portCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: port NAME")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
	ts.Check(listener.Close())
}

// readyCommand waits until a server serves: ready URL [CA [CERT KEY]].
func readyCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 4 {
		ts.Fatalf("usage: ready URL [CA [CERT KEY]]")
	}
	trusted := &tls.Config{}
	if len(args) > 1 {
		trusted.RootCAs = x509.NewCertPool()
		trusted.RootCAs.AppendCertsFromPEM([]byte(ts.ReadFile(args[1])))
	}
	if len(args) > 3 {
		pair, err := tls.X509KeyPair([]byte(ts.ReadFile(args[2])), []byte(ts.ReadFile(args[3])))
		ts.Check(err)
		trusted.Certificates = []tls.Certificate{pair}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := client.New(client.Config{Addresses: args[:1], TLS: trusted, Retries: 1_000_000, Backoff: time.Millisecond})
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.Ready(ctx))
}

// clusterIDCommand puts the id of a stopped node's cluster into a variable: cluster NAME FOLDER.
func clusterIDCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cluster NAME FOLDER")
	}
	plan, err := raftstore.PlanRecovery(ts.MkAbs(args[1]), nil)
	ts.Check(err)
	ts.Setenv(args[0], plan.ClusterID)
}

// exitsCommand runs a command line that must end with an exit code: exits CODE ARG….
func exitsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = err.Error()
	}
	if want := args[0]; got != want && got != "exit status "+want {
		ts.Fatalf("the command ended with %s, want %s", got, want)
	}
}

// tokenCommand puts the token that the last command printed into a variable: token NAME.
func tokenCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: token NAME")
	}
	_, token, ok := strings.Cut(ts.ReadFile("stdout"), "token ")
	if !ok {
		ts.Fatalf("no token was printed")
	}
	ts.Setenv(args[0], strings.TrimSpace(token))
}
