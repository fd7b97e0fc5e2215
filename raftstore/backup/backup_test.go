package backup_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/pemba-authz/pemba/raftstore/backup"
)

var header = backup.Header{Cluster: "c", Revision: 12, Floor: 3, Time: time.Unix(1, 2).UTC(), Feature: 1, Store: "s"}

func file(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := backup.NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 100_000)
		if _, err := w.Write(rest[:n]); err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) ([]byte, error) {
	r, err := backup.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func content(size int) []byte {
	b := make([]byte, size)
	r := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 256 << 10, 256<<10 + 1, 700_000} {
		want := content(size)
		r, err := backup.NewReader(iotest.HalfReader(bytes.NewReader(file(t, want))))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, want) || r.Header != header {
			t.Errorf("%d bytes came back as %d, %v, with %+v", size, len(got), err, r.Header)
		}
	}
}

// TestFaults: whatever is cut off, flipped, put in another order or added, nothing
// is given out that was not written, and the reader says what is wrong and where.
func TestFaults(t *testing.T) {
	want := content(600_000)
	whole := file(t, want)
	check := func(what string, b []byte, kinds ...error) {
		t.Helper()
		got, err := read(b)
		var fault *backup.FaultError
		if !errors.As(err, &fault) || fault.Part == "" || fault.Offset > int64(len(b)) {
			t.Fatalf("%s: %v", what, err)
		}
		known := false
		for _, kind := range kinds {
			known = known || errors.Is(err, kind)
		}
		if !known {
			t.Errorf("%s: %v, want one of %v", what, err, kinds)
		}
		if !bytes.HasPrefix(want, got) {
			t.Errorf("%s: bytes came out that were never written", what)
		}
	}
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 300 {
		at := r.IntN(len(whole))
		if i < 200 { // header and end, too
			at = []int{i, len(whole) - 1 - i}[i%2]
		}
		cut := whole[:at]
		if at < len("pemba backup\n") {
			check(fmt.Sprint("the first ", at), cut, backup.ErrTruncated, backup.ErrForeign)
		} else {
			check(fmt.Sprint("the first ", at), cut, backup.ErrTruncated)
		}
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << r.IntN(8)
		check(fmt.Sprint("byte ", at, " flipped"), flipped, backup.ErrDamaged, backup.ErrForeign, backup.ErrNewer, backup.ErrTruncated)
	}
	check("nothing", nil, backup.ErrForeign)
	check("another file", []byte("SQLite format 3\x00 and so on"), backup.ErrForeign)
	check("something behind it", append(bytes.Clone(whole), 0), backup.ErrDamaged)
	check("twice", append(bytes.Clone(whole), whole...), backup.ErrDamaged)
	newer := bytes.Clone(whole)
	newer[len("pemba backup\n")+1] = 2
	check("the next format", newer, backup.ErrNewer)
	const first, size = len("pemba backup\n") + 2 + 4, 4 + 256<<10 + 32
	head := bytes.Index(whole, []byte("}")) + 1 + 32
	if head < first {
		t.Fatal("the header is not where it should be")
	}
	swapped := bytes.Clone(whole)
	copy(swapped[head:], whole[head+size:head+2*size])
	copy(swapped[head+size:], whole[head:head+size])
	check("two chunks in each other's place", swapped, backup.ErrDamaged)
	check("a chunk left out", append(bytes.Clone(whole[:head+size]), whole[head+2*size:]...), backup.ErrDamaged)
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("the disk")
	b := file(t, content(1000))
	r, err := backup.NewReader(io.MultiReader(bytes.NewReader(b[:len(b)-10]), iotest.ErrReader(broken)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's own error", err)
	}
}
