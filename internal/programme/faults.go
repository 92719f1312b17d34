package programme

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong with a programme's text. Line and Column count from 1; both
// are 0 for a fault of the whole folder.
type Fault struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Column     int    `json:"column"`
	Path       string `json:"path,omitempty"` // where in the programme: categories[contact_data].source
	Code       string `json:"code"`           // stable, one of the codes below
	Message    string `json:"message"`
	Suggestion string `json:"suggestion,omitempty"`
}

// Codes of faults. They are stable; messages are for people.
const (
	CodeSyntax       = "syntax"       // not YAML, or YAML that the format doesn't take
	CodeTooLarge     = "too_large"    // beyond a bound
	CodeEmpty        = "empty"        // no file, or nothing in it
	CodeUnknownKey   = "unknown_key"  // a key that doesn't exist there
	CodeDuplicate    = "duplicate"    // a key, id, list item or selector given twice
	CodeMissing      = "missing"      // a required key is not given
	CodeWrongType    = "wrong_type"   // text where a list belongs, and the like
	CodeBadValue     = "bad_value"    // the right type, but not a value it may have
	CodeUnknownRef   = "unknown_ref"  // names something that is not declared
	CodeInconsistent = "inconsistent" // two declarations contradict each other
)

// String returns "file:line:column: message", and the hint on a second line.
func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	fmt.Fprintf(&b, ": %s", f.Message)
	if f.Suggestion != "" {
		fmt.Fprintf(&b, "\n  hint: %s", f.Suggestion)
	}
	return b.String()
}

// Faults is every fault of a programme, in order of file and position. Load returns it as its
// error; a programme that has any is not returned.
type Faults []Fault

// Error names the number of faults and lists them all.
func (fs Faults) Error() string {
	var b strings.Builder
	noun := "faults"
	if len(fs) == 1 {
		noun = "fault"
	}
	fmt.Fprintf(&b, "programme: %d %s", len(fs), noun)
	for _, f := range fs {
		b.WriteString("\n")
		b.WriteString(f.String())
	}
	return b.String()
}

func (fs Faults) sort() {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// maxFaults bounds the report: past it the file is not a programme, and more lines help nobody.
const maxFaults = 500

// quote shows a value from the file, shortened.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
