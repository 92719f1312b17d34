package decision

import (
	"slices"
	"strings"
)

// NewSet returns the set of words, each once.
func NewSet(words ...string) Set {
	w := slices.Clone(words)
	slices.Sort(w)
	return Set(strings.Join(slices.Compact(w), ","))
}

// Words returns the words of the set.
func (s Set) Words() []string {
	if s == "" {
		return nil
	}
	return strings.Split(string(s), ",")
}

// each calls f with every word until it says false.
func (s Set) each(f func(string) bool) bool {
	for rest := string(s); rest != ""; {
		var w string
		w, rest, _ = strings.Cut(rest, ",")
		if !f(w) {
			return false
		}
	}
	return true
}

func (s Set) has(word string) bool { return !s.each(func(w string) bool { return w != word }) }

// within says whether every word is in words.
func (s Set) within(words []string) bool {
	return s.each(func(w string) bool { return slices.Contains(words, w) })
}
