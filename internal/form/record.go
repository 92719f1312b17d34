// Package form turns opened records into what leaves: a line each in the form that was decided, or
// counts over groups of people. It is pure.
package form

import (
	"time"

	"domicile.dev/internal/id"
)

// Part is one opened fragment: the text of a JSON object, of one category about one subject.
type Part struct {
	Category string
	Subject  id.Subject // may be id.Nobody for no person
	JSON     []byte
}

// Record is a record with those of its parts that may leave.
type Record struct {
	ID                     id.Record
	Kind, Service          string
	OccurredAt, ReceivedAt time.Time
	Parts                  []Part
}
