package source

// maxCandidates bounds the search for a near miss, so that a hostile schema
// cannot buy work with faults.
const maxCandidates = 2000

// Nearest returns the candidate that name was most likely meant to be: the one
// at the smallest edit distance, if that is at most a third of the name's
// length. "" when none is near, as for names of less than three bytes. On a tie
// the first one wins.
func Nearest(name string, candidates []string) string {
	limit := len(name) / 3
	best := ""
	if limit == 0 {
		return best
	}
	for _, c := range candidates[:min(len(candidates), maxCandidates)] {
		if c == name || c == "" || abs(len(c)-len(name)) > limit {
			continue
		}
		if d := distance(name, c, limit); d <= limit {
			best, limit = c, d-1
			if limit <= 0 {
				break
			}
		}
	}
	return best
}

// DidYouMean asks whether a name was meant to be its nearest candidate; "" when
// none is near.
func DidYouMean(name string, candidates []string) string {
	if near := Nearest(name, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// distance is the number of insertions, deletions, substitutions and swaps of
// neighbours that make a into b; anything over limit when it is more than limit.
func distance(a, b string, limit int) int {
	older, previous, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], older[j-2]+1)
			}
			least = min(least, current[j])
		}
		if least > limit+1 {
			return least
		}
		older, previous, current = previous, current, older
	}
	return previous[len(b)]
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
