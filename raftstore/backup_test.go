package raftstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func takeBackup(t *testing.T, n *raftstore.Node, request raftstore.BackupRequest) ([]byte, backup.Header) {
	t.Helper()
	b, err := n.Backup(withPatience(t), request)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var file bytes.Buffer
	if err := b.Write(t.Context(), &file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), b.Header
}

func restore(t *testing.T, file []byte) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "node")
	if _, err := raftstore.Restore(dir, bytes.NewReader(file), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// digests are what a node has counted of a store at a revision.
func digests(t *testing.T, n *raftstore.Node, store string, at tuple.Revision) string {
	t.Helper()
	view, err := n.View(withPatience(t), store, raftstore.AtExactSnapshot(at))
	if err != nil {
		return err.Error()
	}
	defer view.Close()
	counts, err := view.Counts()
	if err == nil {
		err = view.Verify()
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(counts, view.LogTime(), view.SchemaRevision())
}

// TestBackupUnderWrites: a backup is of one revision, whatever is written and
// however the history's floor moves while it is read; a cluster that begins from
// it answers every revision inside as the source does.
func TestBackupUnderWrites(t *testing.T) {
	at := newClock()
	n := openNode(t, raftstore.Config{Clock: at.now, CollectInterval: 5 * time.Millisecond, HistoryWindow: time.Hour, NoSync: true})
	for _, name := range []string{"one", "two"} {
		putStore(t, n, name)
	}
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var mu sync.Mutex // guards revisions
	var revisions []tuple.Revision
	var still atomic.Bool // the clock stands still, and so does the floor
	for i, name := range []string{"one", "two"} {
		r := rand.New(rand.NewPCG(uint64(i), 9))
		writers.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				pair := fmt.Sprint(r.IntN(40)) // left and right come and go together
				op := []command.Op{command.Touch, command.Delete}[r.IntN(2)]
				result := write(t, n, name, change(op, viewer("left", pair), viewer("right", pair)))
				mu.Lock()
				revisions = append(revisions, result.Revision)
				mu.Unlock()
				if k%10 == 0 && !still.Load() {
					at.forward(time.Minute)
				}
			}
		})
	}
	for round := range 4 {
		request := raftstore.BackupRequest{Bare: round == 2}
		if round == 3 {
			request.Store = "two"
		}
		eventually(t, func() error {
			mu.Lock()
			defer mu.Unlock()
			if len(revisions) < 200*(round+1) {
				return fmt.Errorf("only %d writes yet", len(revisions))
			}
			return nil
		})
		still.Store(true)
		b, err := n.Backup(withPatience(t), request)
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		inside := slices.DeleteFunc(slices.Clone(revisions), func(r tuple.Revision) bool {
			return uint64(r) < b.Header.Floor || uint64(r) > b.Header.Revision
		})
		mu.Unlock()
		inside = append(inside[max(0, len(inside)-50):], tuple.Revision(b.Header.Revision))
		want := map[string]string{}
		for _, name := range []string{"one", "two"} {
			for _, r := range inside { // before the floor passes them
				if uint64(r) >= b.Header.Floor {
					want[fmt.Sprint(name, r)] = digests(t, n, name, r)
				}
			}
		}
		still.Store(false)
		var file bytes.Buffer
		passed := sync.OnceFunc(func() { // the floor goes past all that the backup is to hold
			eventually(t, func() error {
				at.forward(time.Minute)
				view, err := n.View(t.Context(), "one", raftstore.AtExactSnapshot(tuple.Revision(b.Header.Revision)))
				if err == nil {
					view.Close()
				}
				if !errors.Is(err, raftstore.ErrRevisionUnavailable) {
					return fmt.Errorf("the source still gives revision %d: %v", b.Header.Revision, err)
				}
				return nil
			})
		})
		slow := io.MultiWriter(&file, writerFunc(func(p []byte) (int, error) {
			passed()
			return len(p), nil
		}))
		if err := b.Write(t.Context(), slow); err != nil {
			t.Fatal(err)
		}
		b.Close()
		dir := restore(t, file.Bytes())
		again := openNode(t, raftstore.Config{Dir: dir, CollectInterval: -1, NoSync: true})
		compared := 0
		for _, name := range []string{"one", "two"} {
			if request.Store != "" && name != request.Store {
				if _, err := again.Store(t.Context(), name); err == nil {
					t.Errorf("the backup of %s holds %s", request.Store, name)
				}
				continue
			}
			for _, r := range inside {
				if uint64(r) < b.Header.Floor {
					continue
				}
				got, was := digests(t, again, name, r), want[fmt.Sprint(name, r)]
				if was == raftstore.ErrRevisionUnavailable.Error() { // the source's floor was faster than this test
					continue
				}
				if compared++; got != was {
					t.Fatalf("round %d: revision %d of %s is\n%s\nat the source it was\n%s", round, r, name, got, was)
				}
			}
			for _, key := range keys(t, again, name, raftstore.AtExactSnapshot(tuple.Revision(b.Header.Revision))) {
				k, err := tuple.ParseKey(key)
				if err != nil {
					t.Fatal(err)
				}
				for _, side := range []string{"left", "right"} {
					if !has(t, again, name, raftstore.MinimizeLatency(), viewer(side, k.Subject.ID)) {
						t.Errorf("of the pair %s there is one half", k.Subject.ID)
					}
				}
			}
		}
		if compared == 0 {
			t.Errorf("round %d: no revision was compared", round)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	writers.Wait()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestRestoredClusterIsAnother: tokens of the source say nothing in the restored
// cluster, and the other way round; others join it, and it goes on.
func TestRestoredClusterIsAnother(t *testing.T) {
	n := openNode(t, raftstore.Config{NoSync: true})
	putStore(t, n, "s")
	before := fill(t, n, "s", "d", 50)
	file, header := takeBackup(t, n, raftstore.BackupRequest{})
	if header.Cluster != n.Status().ClusterID || header.Revision < uint64(before.Revision) {
		t.Errorf("the header is %+v", header)
	}
	for _, secret := range []string{n.Status().NodeID} {
		if bytes.Contains(file, []byte(secret)) {
			t.Error("the backup holds a member of the source")
		}
	}
	after := fill(t, n, "s", "lost", 5)
	sealed, err := n.Seal("test", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	first := raftstore.Config{Dir: restore(t, file), ListenAddr: freeAddress(t), Insecure: true, NoSync: true, HeartbeatTimeout: 200 * time.Millisecond}
	restored := openNode(t, first)
	for _, token := range []tuple.Token{before.Token, after.Token} {
		if _, err := restored.ParseToken(token); !errors.Is(err, raftstore.ErrTokenOtherCluster) {
			t.Errorf("a token of the source: %v", err)
		}
	}
	if _, err := restored.Unseal("test", sealed); !errors.Is(err, raftstore.ErrSealed) {
		t.Errorf("a cursor of the source: %v", err)
	}
	if restored.Status().ClusterID == n.Status().ClusterID || restored.Status().NodeID == n.Status().NodeID {
		t.Error("the restored node takes itself for the source")
	}
	mine := fill(t, restored, "s", "new", 5)
	if uint64(mine.Revision) <= header.Revision {
		t.Errorf("it wrote revision %d, the backup is of %d", mine.Revision, header.Revision)
	}
	joined := openNode(t, raftstore.Config{Dir: filepath.Join(t.TempDir(), "b"), ListenAddr: freeAddress(t), Insecure: true, NoSync: true,
		Join: []string{first.ListenAddr}, HeartbeatTimeout: 200 * time.Millisecond})
	eventually(t, func() error {
		if s := joined.Status(); !s.Ready {
			return errors.New(s.NotReady)
		}
		return nil
	})
	if got := len(keys(t, joined, "s", raftstore.FullyConsistent())); got != 55 {
		t.Errorf("the node that joined has %d tuples, want 55", got)
	}
	if got, want := digests(t, joined, "s", before.Revision), digests(t, n, "s", before.Revision); got != want {
		t.Errorf("the node that joined has at the source's revision %s, want %s", got, want)
	}
	if err := joined.Close(); err != nil {
		t.Fatal(err)
	}
	if err := restored.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	n := openNode(t, raftstore.Config{NoSync: true})
	putStore(t, n, "s")
	fill(t, n, "s", "d", 300)
	whole, header := takeBackup(t, n, raftstore.BackupRequest{})
	parent := t.TempDir()
	refused := func(what string, file []byte, kinds ...error) {
		t.Helper()
		_, err := raftstore.Restore(filepath.Join(parent, "node"), bytes.NewReader(file), slog.New(slog.DiscardHandler))
		if !slices.ContainsFunc(kinds, func(kind error) bool { return errors.Is(err, kind) }) {
			t.Fatalf("%s: %v", what, err)
		}
		if _, _, err := raftstore.VerifyBackup(bytes.NewReader(file)); err == nil && !errors.Is(kinds[0], backup.ErrNewer) {
			t.Errorf("%s: verified all the same", what)
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
			t.Fatalf("%s left %v (%v)", what, left, err)
		}
	}
	r := rand.New(rand.NewPCG(4, 4))
	for range 8 {
		at := r.IntN(len(whole))
		refused(fmt.Sprint("the first ", at, " bytes"), whole[:at], backup.ErrTruncated, backup.ErrForeign)
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << r.IntN(8)
		refused(fmt.Sprint("byte ", at, " flipped"), flipped, backup.ErrDamaged, backup.ErrForeign, backup.ErrNewer, backup.ErrTruncated)
	}
	for range 300 { // without a disk
		at := r.IntN(len(whole))
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << r.IntN(8)
		for _, file := range [][]byte{whole[:at], flipped} {
			var fault *backup.FaultError
			if _, _, err := raftstore.VerifyBackup(bytes.NewReader(file)); !errors.As(err, &fault) {
				t.Fatalf("cut or flipped at byte %d: %v", at, err)
			}
		}
	}
	refused("a file of something else", []byte("once upon a time"), backup.ErrForeign)

	// A file whose checksums are right, around content that is not.
	wrap := func(h backup.Header, content []byte) []byte {
		var b bytes.Buffer
		w, err := backup.NewWriter(&b, h)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	in, err := backup.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		bad := bytes.Clone(content)
		at := 44 + r.IntN(len(bad)-44)
		bad[at] ^= 1 << r.IntN(8)
		refused(fmt.Sprint("content with byte ", at, " flipped"), wrap(header, bad), state.ErrStream, state.ErrCorrupt)
		refused(fmt.Sprint("the first ", at, " bytes of the content"), wrap(header, bad[:at]), state.ErrStream)
	}
	refused("content with something behind it", wrap(header, append(bytes.Clone(content), 1)), backup.ErrDamaged)
	other := header
	other.Revision++
	refused("content of another revision", wrap(other, content), backup.ErrDamaged)
	other = header
	other.Feature = command.FeatureLevel + 1
	refused("a backup of a later feature level", wrap(other, content), backup.ErrNewer)

	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := raftstore.Restore(full, bytes.NewReader(whole), nil); !errors.Is(err, raftstore.ErrExistingState) {
		t.Errorf("into a folder that holds something: %v", err)
	}
	if _, err := n.Backup(t.Context(), raftstore.BackupRequest{Store: "nothing"}); !errors.Is(err, &raftstore.Rejection{Code: command.CodeStoreNotFound}) {
		t.Errorf("a backup of a store that is not there: %v", err)
	}
}
