package api

import (
	"context"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
)

// Service is the data path that the API serves. All checks of what a caller may see are in it; the
// caller is the signed-in tenant and never the operator, whose only calls here are about keys. Faults cross as they are. Of an erased
// subject every call but Erase answers Gone "subject.erased" with the receipt under "receipt".
type Service interface {
	// Find returns whom the identifiers name. Faults: NotFound; Conflict "subject.ambiguous" with
	// the ids under "subjects".
	Find(ctx context.Context, c *tenant.Caller, ids []Identifier) (Found, error)
	// Profile returns a person with their traits; those of somebody restricted need a purpose.
	Profile(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string) (SubjectView, error)
	// Records returns one page, newest first. Faults: Forbidden "subject.restricted" without a
	// purpose of GDPR art. 18(2); Invalid for a cursor that isn't one.
	Records(ctx context.Context, c *tenant.Caller, s id.Subject, q Query) (Page, error)
	// RecordsByClientID returns what the client named so, oldest first. Faults: NotFound when
	// there is none; Forbidden when all that is left is of restricted people and there is no purpose.
	RecordsByClientID(ctx context.Context, c *tenant.Caller, clientID, purpose string) ([]RecordView, error)
	// OpenMedia opens a recording or attachment, which the API closes. Faults as Records, and NotFound.
	OpenMedia(ctx context.Context, c *tenant.Caller, rec id.Record, m id.Media, purpose string) (*plane.MediaContent, error)
	// Export calls each for every record of the person, in any order. It fails before the first
	// call or, when the person is erased meanwhile, between two.
	Export(ctx context.Context, c *tenant.Caller, s id.Subject, purpose string, each func(RecordView) error) (ExportSummary, error)
	Erase(ctx context.Context, c *tenant.Caller, s id.Subject, r EraseRequest) (Receipt, error)
	Restrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	Unrestrict(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	// Hold keeps a person from being erased until a time, or until Release when it is zero.
	Hold(ctx context.Context, c *tenant.Caller, s id.Subject, reason string, until time.Time) (StateChange, error)
	Release(ctx context.Context, c *tenant.Caller, s id.Subject, reason string) (StateChange, error)
	// Tell keeps what a person says. Faults: NotFound; Unprocessable "purpose.undeclared".
	Tell(ctx context.Context, c *tenant.Caller, s id.Subject, say Say) (SayChange, error)
	// AskAgain lists consents that have to be asked for again, of people after a subject. Faults: Unprocessable
	// "purpose.undeclared"; Unavailable.
	AskAgain(ctx context.Context, c *tenant.Caller, purpose string, after id.Subject, limit int) (plane.AgainPage, error)
	// Retire takes identifiers from a person; Link gives some. All are changed or none.
	Retire(ctx context.Context, c *tenant.Caller, s id.Subject, ids []Identifier) (IdentifierChange, error)
	Link(ctx context.Context, c *tenant.Caller, s id.Subject, ids []Identifier) (IdentifierChange, error)
	// Reidentify says whom a recipient means, after it has entered that it did.
	Reidentify(ctx context.Context, c *tenant.Caller, q ReidentifyRequest) (Reidentified, error)
	Stats(ctx context.Context, c *tenant.Caller, since time.Time) (Stats, error)
	Refusals(ctx context.Context, c *tenant.Caller) ([]Refusal, error)
	Violations(ctx context.Context, c *tenant.Caller) ([]Violation, error)
	// LedgerEntry returns an entry that concerns the caller; NotFound for any other.
	LedgerEntry(ctx context.Context, c *tenant.Caller, e id.Entry) (ledger.EntryView, error)
	// Keys returns the state of the region's keys; Forbidden for all but the operator.
	Keys(ctx context.Context, c *tenant.Caller) (KeysView, error)
	// RotateIndex begins a rotation of the index key, unless one is under way; Forbidden for all but
	// the operator.
	RotateIndex(ctx context.Context, c *tenant.Caller) (v KeysView, begun bool, err error)
}

// What crosses between the API and the data path is the data path's own.
type (
	Identifier        = plane.Identifier
	Found             = plane.FindResult
	Query             = plane.Query
	Page              = plane.Page
	RecordView        = plane.RecordView
	ExportSummary     = plane.ExportSummary
	EraseRequest      = plane.EraseRequest
	Receipt           = plane.Receipt
	StateChange       = plane.StateChange
	SubjectView       = plane.SubjectView
	Say               = plane.Say
	SayView           = plane.SayView
	SayChange         = plane.SayChange
	IdentifierView    = plane.IdentifierView
	IdentifierChange  = plane.IdentifierChange
	RefusedLinkView   = plane.RefusedLinkView
	Traits            = plane.Traits
	Trait             = plane.Trait
	KeysView          = plane.KeysView
	Stats             = plane.Stats
	Count             = plane.Count
	Refusal           = plane.RefusalCount
	Violation         = plane.Violation
	Ref               = ledger.Ref
	ReidentifyRequest = plane.ReidentifyRequest
	Reidentified      = plane.Reidentified
)
