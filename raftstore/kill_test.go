package raftstore_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The variables that make the test binary a node under load instead, until it is killed.
const (
	killDir    = "PEMBA_TEST_KILL_DIR"
	killBoot   = "PEMBA_TEST_KILL_BOOT"
	killRounds = "PEMBA_TEST_KILL_ROUNDS" // of the parent; default 20

	killWriters = 16
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := serveUntilKilled(dir, os.Getenv(killBoot)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// serveUntilKilled says which tuples it finds ("found WRITER NUMBER"), then "go",
// then lets every writer replace its only tuple by one with the next number, for
// ever, and says so once it is acknowledged ("done WRITER NUMBER").
func serveUntilKilled(dir, boot string) error {
	ctx := context.Background()
	n, err := raftstore.Open(ctx, raftstore.Config{
		Dir: dir, SnapshotEntries: 40, SnapshotInterval: 20 * time.Millisecond, TrailingEntries: 10, TrailingBytes: -1,
	}.WithBoot(boot))
	if err != nil {
		return err
	}
	if _, err := n.PutStore(ctx, "s"); err != nil {
		return err
	}
	if _, err := n.PutSchema(ctx, "s", documents()); err != nil {
		return err
	}
	var mu sync.Mutex // guards the output: lines stay whole
	say := func(what string, writer, number int) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, "%s %d %d\n", what, writer, number)
	}
	view, err := n.View(ctx, "s", raftstore.FullyConsistent())
	if err != nil {
		return err
	}
	last := make([]int, killWriters)
	for found, err := range view.Tuples(tuple.Filter{}, nil) {
		if err != nil {
			return err
		}
		writer, _ := strconv.Atoi(found.Object.ID)
		number, _ := strconv.Atoi(found.Subject.ID)
		last[writer] = number
		say("found", writer, number)
	}
	view.Close()
	say("go", 0, 0)
	failed := make(chan error)
	for writer := range killWriters {
		go func() {
			for number := last[writer] + 1; ; number++ {
				w := change(command.Create, viewer(strconv.Itoa(writer), strconv.Itoa(number)))
				w.DeleteFilter = &tuple.Filter{ObjectType: "document", ObjectID: strconv.Itoa(writer)}
				if _, err := n.Write(ctx, "s", w); err != nil {
					failed <- err
					return
				}
				say("done", writer, number)
			}
		}()
	}
	return <-failed
}

// TestKillLosesNothingAcknowledged kills a real process under load, again and
// again, and compares what it then finds with what it acknowledged. Every other
// time the node is made to believe that the whole system went down, so that it
// trusts only what is known to be on disk and replays the rest.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	rounds := 20
	if text := os.Getenv(killRounds); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	done := make([]int, killWriters) // the last acknowledged number of each writer
	total := 0
	for round := range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), killDir+"="+dir, killBoot+"=boot"+strconv.Itoa(round/2))
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		acknowledged := watchChild(t, out, done, rand.IntN(400)+1, func() { child.Process.Kill() })
		child.Wait()
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		total += acknowledged
	}
	t.Logf("%d rounds, %d acknowledged writes, none lost", rounds, total)
}

// watchChild compares what the child finds with done, kills it after so many
// acknowledgements, and records those that it still gave.
func watchChild(t *testing.T, out io.Reader, done []int, enough int, kill func()) (acknowledged int) {
	t.Helper()
	found := make([][]int, killWriters)
	started := false
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // an unfinished line was not acknowledged to anybody
			break
		}
		var what string
		var writer, number int
		if _, err := fmt.Sscan(strings.TrimSpace(line), &what, &writer, &number); err != nil {
			t.Fatalf("the child says %q", line)
		}
		switch what {
		case "found":
			found[writer] = append(found[writer], number)
		case "go":
			started = true
			compareFound(t, found, done)
		case "done":
			done[writer] = number
			acknowledged++
			if acknowledged == enough {
				kill()
			}
		}
	}
	if !started {
		t.Error("the child did not come up")
	}
	return acknowledged
}

// compareFound demands exactly one tuple per writer: the one that was acknowledged
// last, or the one after it, whose acknowledgement was cut off.
func compareFound(t *testing.T, found [][]int, done []int) {
	t.Helper()
	for writer, numbers := range found {
		switch {
		case len(numbers) == 0 && done[writer] == 0:
		case len(numbers) != 1:
			t.Errorf("writer %d: found %v after %d was acknowledged: half of a write", writer, numbers, done[writer])
		case numbers[0] < done[writer]:
			t.Errorf("writer %d: found %d, but %d was acknowledged", writer, numbers[0], done[writer])
		case numbers[0] > done[writer]+1:
			t.Errorf("writer %d: found %d, but nothing after %d was written", writer, numbers[0], done[writer]+1)
		default:
			done[writer] = numbers[0] // the child goes on from here
		}
	}
}
