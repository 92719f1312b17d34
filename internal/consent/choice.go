package consent

import (
	"cmp"
	"regexp"
	"slices"
)

// Choice is what the programme makes of one category of a source's consent objects.
type Choice struct {
	Category string // as the source names it
	About    []About
}

// The forms of what is kept in the clear beside a word, so that nothing about a person gets there.
var (
	howForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	textForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}$`)
)

// HowFits says whether how can say how a word came.
func HowFits(how string) bool { return howForm.MatchString(how) }

// TextFits says whether v can name the version of a text.
func TextFits(v string) bool { return v == "" || textForm.MatchString(v) }

func sortWords(words []Word) {
	slices.SortStableFunc(words, func(a, b Word) int { return cmp.Or(cmp.Compare(b.ReceivedAt, a.ReceivedAt), cmp.Compare(b.At, a.At)) })
}

// earliest is before anything that anybody can have said here: what claims to be older has a clock
// that says nothing.
const earliest = 946_684_800_000 // 2000-01-01

// When bounds a client's time by ours: what is in the future, or before there was anything to say,
// counts as received now.
func When(at, receivedAt int64) int64 {
	if at < earliest || at > receivedAt {
		return receivedAt
	}
	return at
}
