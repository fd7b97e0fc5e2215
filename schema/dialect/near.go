package dialect

import "fmt"

// Near suggests the name that is closest to one that is unknown; "" when none is.
func Near(text string, names []string) string {
	best, distance := "", max(len(text)/3, 1)+1
	if len(text) > 64 || len(names) > 10_000 {
		return ""
	}
	for _, n := range names {
		if len(n) > 64 || len(n)-len(text) >= distance || len(text)-len(n) >= distance {
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
