package raftlog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/pemba-authz/pemba/raftstore/raftlog"
)

// content is all that a log holds, as text.
func content(t *testing.T, l *raftlog.Log) string {
	t.Helper()
	text := fmt.Sprint(bounds(t, l))
	for i := bounds(t, l)[0]; i <= bounds(t, l)[1] && i > 0; i++ {
		var e raft.Log
		if err := l.GetLog(i, &e); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%d %d %d %x %x\n", e.Index, e.Term, e.Type, e.Data, e.Extensions)
	}
	term, _ := l.GetUint64([]byte("CurrentTerm"))
	vote, _ := l.Get([]byte("LastVoteCand"))
	return text + fmt.Sprint(term, string(vote))
}

// TestDamagedFile: whatever bit is turned and whatever part is torn off or never
// written, the log does not open, or holds what it held. bbolt itself would lose
// entries, answer others, or panic. PEMBA_DAMAGES=1500 tries more of them.
func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.db")
	l := open(t, raftlog.Options{Path: path, NoSync: true})
	fill(t, l, 1, 300, 1, 100)
	fill(t, l, 301, 303, 2, 20_000) // over several pages
	fill(t, l, 304, 340, 2, 1)
	l.SetSnapshot(50, 1)
	if err := l.DeleteRange(1, 50); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.SetUint64([]byte("CurrentTerm"), 2), l.Set([]byte("LastVoteCand"), []byte("me"))); err != nil {
		t.Fatal(err)
	}
	want := content(t, l)
	if err := l.Verify(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	tries := 300
	if n, err := strconv.Atoi(os.Getenv("PEMBA_DAMAGES")); err == nil {
		tries = n
	}
	found, harmless := 0, 0
	for i := range tries {
		b := append([]byte(nil), whole...)
		at := rnd.IntN(len(b))
		if i%2 == 0 { // the heads of pages matter most
			at = at/4096*4096 + rnd.IntN(128)
		}
		what := ""
		switch i % 10 {
		case 8:
			b, what = b[:at], "cut"
		case 9:
			clear(b[at/512*512 : min(at/512*512+512, len(b))])
			what = "unwritten sector"
		default:
			b[at] ^= 1 << rnd.IntN(8)
			what = "bit"
		}
		name := filepath.Join(t.TempDir(), "log.db")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := raftlog.Open(raftlog.Options{Path: name, NoSync: true})
		if err != nil {
			if !errors.Is(err, raftlog.ErrDamaged) {
				t.Errorf("%s at %d: %v", what, at, err)
			}
			found++
			continue
		}
		if got := content(t, l); got != want {
			t.Errorf("%s at %d (page %d, byte %d) went unnoticed", what, at, at/4096, at%4096)
		}
		harmless++
		l.Close()
	}
	t.Logf("%d damages: %d found, %d harmless", tries, found, harmless)
}
