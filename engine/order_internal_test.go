package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestInOrder takes some or all of many lists and expects what a sorted one begins with.
func TestInOrder(t *testing.T) {
	for n := range 300 {
		var list []candidate
		for i := range n {
			list = append(list, candidate{id: fmt.Sprintf("%x", i*7919)})
		}
		var want []string
		for _, c := range list {
			want = append(want, c.id)
		}
		slices.Sort(want)
		rand.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
		most := rand.IntN(n + 1)
		if n%2 == 0 {
			most = n
		}
		var got []string
		for c := range inOrder(list) {
			if len(got) == most {
				break
			}
			got = append(got, c.id)
		}
		if !slices.Equal(got, want[:most]) {
			t.Fatalf("the first %d of %d are %q, want %q", most, n, got, want[:most])
		}
	}
}
