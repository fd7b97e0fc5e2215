package raftstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// The child's part: it opens a node on a folder and prints what the node answers.
const (
	damagedFolder = "PEMBA_DAMAGED_FOLDER"
	pastRevisions = "PEMBA_PAST_REVISIONS"
)

// TestDamagedChild is no test of its own: TestDamagedFolder runs it in a process,
// since damaged memory maps may end one.
func TestDamagedChild(t *testing.T) {
	dir := os.Getenv(damagedFolder)
	if dir == "" {
		t.Skip("the part of a child process")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	n, err := raftstore.Open(ctx, raftstore.Config{Dir: dir, NoSync: true, HeartbeatTimeout: 20 * time.Millisecond, CollectInterval: -1})
	if err != nil {
		fmt.Printf("\nREFUSED %v\n", err)
		return
	}
	defer n.Close()
	v, err := n.VerifyCluster(ctx)
	if err != nil || !v.Equal {
		fmt.Printf("\nFOUND %v %v\n", v.Findings, err)
		return
	}
	fmt.Print("\nANSWERS")
	for _, st := range v.Members[0].Summary.Stores {
		fmt.Print(" ", st.Name, " ", st.Schema, " ", st.State)
		for _, text := range strings.Fields(os.Getenv(pastRevisions)) {
			at, _ := strconv.ParseUint(text, 10, 64)
			if view, err := n.View(ctx, st.Name, raftstore.AtExactSnapshot(tuple.Revision(at))); err == nil {
				view.Close()
				all := strings.Join(keys(t, n, st.Name, raftstore.AtExactSnapshot(tuple.Revision(at))), " ")
				fmt.Printf(" %x", sha256.Sum256([]byte(all)))
			}
		}
	}
	fmt.Println()
}

// answers runs a child on a folder.
func answers(t *testing.T, dir, past string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run", "^TestDamagedChild$", "-test.v")
	child.Env = append(os.Environ(), damagedFolder+"="+dir, pastRevisions+"="+past)
	out, err := child.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		for _, word := range []string{"REFUSED", "FOUND", "ANSWERS"} {
			if strings.HasPrefix(line, word) && err == nil {
				return strings.TrimSpace(line)
			}
		}
	}
	return fmt.Sprintf("CRASHED %v\n%s", err, out[:min(len(out), 3000)])
}

// TestDamagedFolder turns bits, tears off ends and leaves sectors unwritten in
// every file of a node that is alone: it refuses to start, or finds out by itself,
// or answers what it answered. PEMBA_DAMAGES says how many (500 take some minutes),
// PEMBA_SEED which ones.
func TestDamagedFolder(t *testing.T) {
	tries, seed := 24, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("PEMBA_DAMAGES")); err == nil {
		tries = n
	}
	if n, err := strconv.ParseUint(os.Getenv("PEMBA_SEED"), 10, 64); err == nil {
		seed = n
	}
	if testing.Short() {
		tries = 6
	}
	closed, killed, past := damageable(t)
	want := map[string]string{}
	for _, from := range []string{closed, killed} {
		to := filepath.Join(t.TempDir(), "copy")
		copyFolder(t, from, to)
		if want[from] = answers(t, to, past); !strings.HasPrefix(want[from], "ANSWERS") {
			t.Fatalf("undamaged: %s", want[from])
		}
	}
	if want[closed] != want[killed] {
		t.Fatalf("closed: %s\nkilled: %s", want[closed], want[killed])
	}
	rnd := rand.New(rand.NewPCG(seed, 7))
	tally := map[string]int{}
	for i := range tries {
		from, kind := []string{closed, killed}[i%2], "closed"
		if from == killed {
			kind = "killed"
		}
		to := filepath.Join(t.TempDir(), "copy")
		copyFolder(t, from, to)
		file, what := damage(t, rnd, to)
		got := answers(t, to, past)
		word, _, _ := strings.Cut(got, " ")
		name := filepath.Ext(file)
		if name == "" || name == ".json" || name == ".db" {
			name = filepath.Base(file)
		}
		switch {
		case word == "ANSWERS" && got != want[from]:
			t.Errorf("seed %d, damage %d: %s of %s in a %s folder: %s, want %s", seed, i, what, file, kind, got, want[from])
		case word == "CRASHED":
			t.Errorf("seed %d, damage %d: %s of %s in a %s folder: %s", seed, i, what, file, kind, got)
		}
		tally[fmt.Sprintf("%-12s %s", name, strings.NewReplacer("REFUSED", "found", "FOUND", "found", "ANSWERS", "harmless").Replace(word))]++
		os.RemoveAll(to)
	}
	for _, line := range slices.Sorted(maps.Keys(tally)) {
		t.Logf("%s %d", line, tally[line])
	}
}

// damageable makes a folder of a node that was closed, and of the same that was
// killed, with changes of some revisions in them.
func damageable(t *testing.T) (closed, killed, past string) {
	t.Helper()
	dir := t.TempDir()
	killed = filepath.Join(t.TempDir(), "killed")
	n, err := raftstore.Open(withPatience(t), raftstore.Config{Dir: dir, NoSync: true, CollectInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{"s", "t"} {
		putStore(t, n, store)
		for i := range 40 {
			written := write(t, n, store, change(command.Create, viewer(fmt.Sprint("d", i), fmt.Sprint("u", i)), viewer("all", fmt.Sprint("u", i))))
			if i%10 == 9 {
				write(t, n, store, change(command.Delete, viewer("all", fmt.Sprint("u", i-3))))
				past += fmt.Sprint(" ", written.Revision)
			}
		}
		if err := n.Snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, n, "s", "last", 10)
	copyFolder(t, dir, killed)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, killed, past
}

// copyFolder copies files without their runs of zeros, of which Badger makes many.
func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	zeros := make([]byte, 64<<10)
	err := filepath.WalkDir(from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if entry.Name() == "LOCK" {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := os.Create(target)
		if err != nil {
			return err
		}
		for at := 0; at < len(b); at += len(zeros) {
			part := b[at:min(at+len(zeros), len(b))]
			if !bytes.Equal(part, zeros[:len(part)]) {
				_, errWrite := f.WriteAt(part, int64(at))
				err = errors.Join(err, errWrite)
			}
		}
		return errors.Join(err, f.Truncate(int64(len(b))), f.Close())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// damage damages one file of a folder.
func damage(t *testing.T, rnd *rand.Rand, dir string) (file, what string) {
	t.Helper()
	kinds := map[string][]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if info, errInfo := entry.Info(); err == nil && errInfo == nil && !entry.IsDir() && info.Size() > 0 {
			kind := filepath.Ext(name)
			if kind == "" {
				kind = filepath.Base(name)
			}
			kinds[kind] = append(kinds[kind], name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	all := slices.Sorted(maps.Keys(kinds))
	among := kinds[all[rnd.IntN(len(all))]]
	file = among[rnd.IntN(len(among))]
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	used := max(len(bytes.TrimRight(b, "\x00")), 1)
	at := rnd.IntN(used)
	sector := b[at/512*512 : min(at/512*512+512, len(b))]
	switch rnd.IntN(8) {
	case 0:
		b, what = b[:at], "a cut"
	case 1:
		clear(sector)
		what = "an unwritten sector"
	case 2:
		for i := range sector {
			sector[i] = byte(rnd.Uint32())
		}
		what = "a sector of something else"
	default:
		b[at] ^= 1 << rnd.IntN(8)
		what = "a turned bit"
	}
	what = fmt.Sprintf("%s at %d of %d", what, at, used)
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(file, dir), what
}
