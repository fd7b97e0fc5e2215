package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestInOrder takes some or all of many lists and expects what a sorted one goes
// on with. Their ids differ at once, late, or in their length alone.
func TestInOrder(t *testing.T) {
	for form, id := range map[string]func(i int) string{
		"short":  func(i int) string { return fmt.Sprintf("%x", i*7919) },
		"prefix": func(i int) string { return fmt.Sprintf("invoice-of-2026-%06x", i*7919) },
		"late":   func(i int) string { return fmt.Sprintf("%d-%030d", i%2, i) },
		"length": func(i int) string { return "a" + strings.Repeat("\x00", i%1000) + strings.Repeat("a", i/1000) },
	} {
		t.Run(form, func(t *testing.T) {
			for n := range 300 {
				checkOrder(t, n, id)
			}
			for range 5 {
				checkOrder(t, 2000+rand.IntN(4000), id)
			}
		})
	}
}

func checkOrder(t *testing.T, n int, id func(i int) string) {
	var l lineup
	var want []string
	twice := n / 5 // so many are lined up twice, half of them certain the second time
	certain := map[string]bool{}
	for _, i := range rand.Perm(n) {
		l.add(id(i))
		if i < twice {
			l.add(id(i))
			l.list[len(l.list)-1-i%2].certain = i%4 < 2
			certain[id(i)] = i%4 < 2
		}
		want = append(want, id(i))
	}
	slices.Sort(want)
	after, most := "", rand.IntN(n+1)
	if behind := rand.IntN(n + 1); behind > 0 {
		after, want = want[behind-1], want[behind:]
	}
	want = want[:min(most, len(want))]
	var got []string
	for c := range l.inOrder(after) {
		if len(got) == len(want) {
			break
		}
		got = append(got, l.id(c))
		if c.certain != certain[l.id(c)] {
			t.Fatalf("%q is certain: %v", l.id(c), c.certain)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the first %d of %d behind %q are %q, want %q", most, n, after, got, want)
	}
}

// TestOrderReadsNoFurther expects that the first few of many are found without the
// others being sorted.
func TestOrderReadsNoFurther(t *testing.T) {
	var l lineup
	for _, i := range rand.Perm(1 << 17) {
		l.add(fmt.Sprintf("%08d", i))
	}
	for range l.inOrder("") {
		break
	}
	last, falls := "", 0
	for i := range l.list {
		id := l.id(&l.list[i])
		if id < last {
			falls++
		}
		last = id
	}
	if falls < 1<<15 {
		t.Errorf("%d of %d are out of order: the whole list was sorted", falls, len(l.list))
	}
}
