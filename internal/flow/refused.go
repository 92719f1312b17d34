package flow

import (
	"maps"
	"slices"

	"domicile.dev/internal/fault"
)

// ReasonRecordsRefused is the reason of the fault that NewRefused makes.
const ReasonRecordsRefused = "destination.records_refused"

// Refused says which records of a delivery a recipient refuses for good, where it answers by record:
// all others have arrived, and stay there.
type Refused struct {
	// Records are the ids that the delivery's lines had, in order. They name records, not people.
	Records []string
	// Reasons counts them by the recipient's code, which is one of a known shape, never free text.
	Reasons map[string]int
}

// NewRefused returns the fault of kind Invalid for r, of count records in all.
func NewRefused(r Refused, count int) *fault.Error {
	return fault.New(fault.Invalid, ReasonRecordsRefused, "the recipient refuses %d of %d records for good", len(r.Records), count).
		WithHint("what the recipient refuses is counted by reason; mend it there, or replay these records").
		With("refused", r)
}

// RefusedIn returns what NewRefused put into err. ok is false when err refuses a batch as a whole, or
// isn't a refusal.
func RefusedIn(err error) (r Refused, ok bool) {
	f, is := fault.As(err)
	if !is || f.Reason != ReasonRecordsRefused {
		return r, false
	}
	r, ok = f.Extra["refused"].(Refused)
	return Refused{Records: slices.Clone(r.Records), Reasons: maps.Clone(r.Reasons)}, ok
}
