package graph

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// TestMemoryIsUnmapped drops an index and expects its memory back at the system.
func TestMemoryIsUnmapped(t *testing.T) {
	m := func() *memory {
		b := Build(1, 20_000)
		l := b.Loader()
		for i := range 20_000 {
			tup := Tuple{ObjectType: 1, ObjectID: fmt.Sprint("d", i), Relation: 10, SubjectType: 3, SubjectID: "ana"}
			if err := l.Add(&tup); err != nil {
				t.Fatal(err)
			}
		}
		x, err := b.Finish()
		if err != nil {
			t.Fatal(err)
		}
		return x.memory
	}()
	mapped := func() int {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.mapped)
	}
	if mapped() == 0 {
		t.Skip("this system's memory comes from the heap")
	}
	for range 1000 {
		runtime.GC() // after which the cleanup runs, on a goroutine of the runtime
		if mapped() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d pieces are still mapped", mapped())
}
