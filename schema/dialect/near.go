package dialect

import "fmt"

// Bounds on the search for near misses.
const (
	maxSuggestions = 100 // errors after which there are none
	maxCandidates  = 1000
	maxNear        = 64 // bytes of a name
)

func near(text string, names func(yield func(string) bool)) string {
	if len(text) > maxNear {
		return ""
	}
	best, distance, seen := "", max(len(text)/3, 1)+1, 0
	for n := range names {
		if seen++; seen > maxCandidates {
			break
		}
		if len(n) > maxNear || len(n)-len(text) >= distance || len(text)-len(n) >= distance {
			continue
		}
		if d := editDistance(text, n); d < distance {
			best, distance = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// editDistance counts the single characters to insert, delete or change.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
