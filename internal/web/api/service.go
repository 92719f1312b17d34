package api

import (
	"context"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/tenant"
)

// Service is the data path that the API serves. All checks of what a caller may see are in it; the
// caller is the signed-in tenant and never the operator. Faults cross as they are. Of an erased
// subject every call but Erase answers Gone "subject.erased" with the receipt under "receipt".
type Service interface {
	// Find returns whom the identifiers name. Faults: NotFound; Conflict "subject.ambiguous" with
	// the ids under "subjects".
	Find(ctx context.Context, c *tenant.Caller, ids []Identifier) (Found, error)
	Subject(ctx context.Context, c *tenant.Caller, s id.Subject) (SubjectView, error)
	// Records returns one page, newest first. Faults: Forbidden "subject.restricted" without a
	// purpose of GDPR art. 18(2); Invalid for a cursor that isn't one.
	Records(ctx context.Context, c *tenant.Caller, s id.Subject, q Query) (Page, error)
	// RecordsByClientID returns what the client named so, oldest first; NotFound when there is none.
	RecordsByClientID(ctx context.Context, c *tenant.Caller, clientID string) ([]RecordView, error)
	// Export calls each for every record of the person, in any order. It fails before the first
	// call or, when the person is erased meanwhile, between two.
	Export(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string, each func(RecordView) error) (ExportSummary, error)
	Erase(ctx context.Context, c *tenant.Caller, s id.Subject, r EraseRequest) (Receipt, error)
	Restrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	Unrestrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	// Hold keeps a person from being erased until a time, or until Release when it is zero.
	Hold(ctx context.Context, c *tenant.Caller, s id.Subject, reason string, until time.Time) (StateChange, error)
	Release(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	Stats(ctx context.Context, c *tenant.Caller, since time.Time) (Stats, error)
	Refusals(ctx context.Context, c *tenant.Caller) ([]Refusal, error)
	// LedgerEntry returns an entry that concerns the caller; NotFound for any other.
	LedgerEntry(ctx context.Context, c *tenant.Caller, e id.Entry) (ledger.EntryView, error)
}

// Identifier is what a person is known by, in the clear.
type Identifier struct{ Type, Value string }

// Found is the answer of Find. Claimed are subjects that only a browser says are the same person.
type Found struct {
	Subject id.Subject
	Claimed []id.Subject
}

// Query selects records. After is the cursor of a Page, "" for the newest; Limit is 1 to 1000.
type Query struct {
	Kind    string
	After   string
	Limit   int
	Purpose string
}

// Page is some records, and the cursor of the next page, "" at the end.
type Page struct {
	Records []RecordView
	Next    string
}

// RecordView is a record as its tenant reads it. Data is a JSON object; Gone are the categories
// whose person was erased.
type RecordView struct {
	ID         id.Record
	ClientID   string
	Kind       string
	Service    string
	OccurredAt time.Time
	ReceivedAt time.Time
	Categories []string
	Gone       []string
	Data       []byte
}

// ExportSummary says what an export held.
type ExportSummary struct {
	Records int64
	Counts  map[string]int64 // by "service/kind"
}

// EraseRequest is how to erase: Suppress keeps the person's identifiers out from now on.
type EraseRequest struct {
	Reason   string
	Suppress bool
}

// Ref names a ledger entry. Index is its place in the log, nil before it has one.
type Ref struct {
	Entry id.Entry
	Index *int64
}

// Receipt is proof of an erasure. Already says that it was done by an earlier call.
type Receipt struct {
	Receipt         string
	ErasedAt        time.Time
	UnrecoverableBy time.Time
	Records         int64
	Ledger          Ref
	Already         bool
}

// StateChange is a person's states after a change.
type StateChange struct {
	Subject   id.Subject
	States    []string
	HoldUntil *time.Time
	Ledger    Ref
}

// SubjectView is what is known of a person.
type SubjectView struct {
	Subject     id.Subject
	Members     []id.Subject
	Identifiers []IdentifierView
	States      []string
	HoldUntil   *time.Time
	Counts      map[string]int64 // by "service/kind"
	CreatedAt   time.Time
}

// IdentifierView is one identifier of a person, in the clear.
type IdentifierView struct {
	Type, Value     string
	Claimed, Shared bool
	Source          string
}

// Stats are counts of what came in.
type Stats struct {
	Since         time.Time
	Counts        []Count
	OldestRemains *time.Time // erasure whose ciphertext is not yet compacted away; nil when there is none
}

// Count is how many records of a kind had one outcome. Reason is set for "refused".
type Count struct {
	Service, Kind, Outcome, Reason string
	Count                          int64
}

// Refusal is what was refused, by reason and path, without values.
type Refusal struct {
	Service, Kind, Reason, Path string
	Count                       int64
	LastAt                      time.Time
}
