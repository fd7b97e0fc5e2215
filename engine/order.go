package engine

import (
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
)

// inOrder yields candidates in the order of their ids, which differ. It sorts no
// further than it is asked, by quicksort from the front: a page of a hundred out
// of a million costs little more than looking at each a few times. The pivots are
// drawn, so that no choice of ids makes it slow.
func inOrder(list []candidate) iter.Seq[*candidate] {
	return func(yield func(*candidate) bool) {
		at, ends := 0, []int{len(list)} // what lies between two ends is all before what comes behind
		for at < len(list) {
			end := ends[len(ends)-1]
			if end-at > 12 {
				middle := divide(list[at:end]) + at
				ends = append(ends, middle+1, middle)
				continue
			}
			ends = ends[:len(ends)-1]
			slices.SortFunc(list[at:end], func(a, b candidate) int { return strings.Compare(a.id, b.id) })
			for ; at < end; at++ {
				if !yield(&list[at]) {
					return
				}
			}
		}
	}
}

// divide puts one of a list in its place, what comes before it in front and the
// rest behind, and returns the place.
func divide(list []candidate) int {
	i := rand.IntN(len(list))
	list[0], list[i] = list[i], list[0]
	pivot, place := list[0].id, 0
	for i := 1; i < len(list); i++ {
		if list[i].id < pivot {
			place++
			list[place], list[i] = list[i], list[place]
		}
	}
	list[0], list[place] = list[place], list[0]
	return place
}
