package transit

import (
	"cmp"
	"regexp"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Standing is what one channel's words on one thing have come to; see internal/consent. Times are Unix
// milliseconds, 0 for never.
type Standing struct {
	About      string `json:"about"`
	Channel    string `json:"channel"`
	NoAt       int64  `json:"no_at,omitempty"`
	YesAt      int64  `json:"yes_at,omitempty"`
	ToldAt     int64  `json:"told_at,omitempty"`
	No         string `json:"no,omitempty"`
	How        string `json:"how"`
	Source     string `json:"source"`
	Text       string `json:"text,omitempty"`
	ReceivedAt int64  `json:"received_at"`
}

// Word is one word of the person's history.
type Word struct {
	About      string `json:"about"`
	Word       string `json:"word"`
	Channel    string `json:"channel"`
	Act        bool   `json:"act,omitempty"`
	At         int64  `json:"at"`
	ReceivedAt int64  `json:"received_at"`
	How        string `json:"how"`
	Source     string `json:"source"`
	Text       string `json:"text,omitempty"`
}

// MaxWords bounds a person's history on its way, and what stands.
const MaxWords = 10_000

// maxAhead is how far a word may be after its receipt, in milliseconds: words of one moment are told apart
// by a few.
const maxAhead = 60_000

// The forms of what is stored in the clear.
var (
	aboutForm   = regexp.MustCompile(`^((consent|objection)/[a-z0-9][a-z0-9_.-]{0,63}|opt_out/[a-z_]{1,32})$`)
	channelForm = regexp.MustCompile(`^(api$|src_[a-z][a-z0-9-]{0,15}_[a-z2-7]{1,64}/.)`)
	howForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)
	textForm    = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9._:/+-]{0,63})?$`)
	wordForms   = []string{"given", "refused", "withdrawn", "objects", "lifted", "out", "in"}
)

func sortSaid(p *Person) {
	slices.SortFunc(p.Standings, func(a, b Standing) int {
		return cmp.Or(cmp.Compare(a.About, b.About), cmp.Compare(a.Channel, b.Channel))
	})
	slices.SortFunc(p.Words, func(a, b Word) int {
		return cmp.Or(cmp.Compare(b.ReceivedAt, a.ReceivedAt), cmp.Compare(b.At, a.At), cmp.Compare(a.About, b.About), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Word, b.Word), cmp.Compare(a.How, b.How), cmp.Compare(a.Source, b.Source))
	})
}

// said says whether what the person said has the forms that may be stored.
func (p *Person) said() bool {
	if len(p.Standings) > MaxWords || len(p.Words) > MaxWords {
		return false
	}
	for i := range p.Standings {
		s := &p.Standings[i]
		if !saidFits(s.About, s.Channel, s.How, s.Source, s.Text) || s.NoAt < 0 || s.YesAt < 0 || s.ToldAt < 0 || s.ReceivedAt < 0 ||
			(s.NoAt > 0) != (s.No != "") || s.No != "" && !slices.Contains(wordForms, s.No) ||
			i > 0 && p.Standings[i-1].About == s.About && p.Standings[i-1].Channel == s.Channel {
			return false
		}
	}
	for i := range p.Words {
		w := &p.Words[i]
		if !saidFits(w.About, w.Channel, w.How, w.Source, w.Text) || w.At <= 0 || w.At > w.ReceivedAt+maxAhead || !slices.Contains(wordForms, w.Word) {
			return false
		}
	}
	return true
}

func saidFits(about, channel, how, source, text string) bool {
	return aboutForm.MatchString(about) && channelForm.MatchString(channel) && len(channel) <= maxName && utf8.ValidString(channel) &&
		!containsControl(channel) && howForm.MatchString(how) && sayerID.MatchString(source) && textForm.MatchString(text)
}

func containsControl(s string) bool {
	return slices.ContainsFunc([]rune(s), unicode.IsControl)
}
