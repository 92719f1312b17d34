package programme

import (
	"fmt"
	"slices"
	"strings"
)

// didYouMean returns a hint with the candidate nearest to got, "" when none is near: at most two
// edits, or a third of the letters in longer words.
func didYouMean(got string, candidates []string) string {
	if len(got) > 100 {
		return ""
	}
	best, dist := "", max(2, len(got)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		if d := distance(fold(got), fold(c)); d < dist && d < max(len(c), 2) {
			best, dist = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q?", best)
}

// DidYouMean is a hint with the candidate nearest to got, "" when none is near.
func DidYouMean(got string, candidates []string) string { return didYouMean(got, candidates) }

// fold makes spellings alike that people confuse: case, dashes, blanks and underscores.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return '_'
		}
		return r
	}, strings.ToLower(s))
}

// suggest is didYouMean, or the whole list when it is short, or nothing.
func suggest(got string, candidates []string) string {
	if s := didYouMean(got, candidates); s != "" {
		return s
	}
	if n := len(candidates); n > 0 && n <= 12 {
		return "one of: " + strings.Join(candidates, ", ")
	}
	return ""
}

// distance is the number of insertions, deletions, substitutions and swaps of neighbours that
// make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(y)]
}
