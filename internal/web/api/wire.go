package api

import (
	"encoding/json"
	"time"
)

// What goes over the wire. The tags are the OpenAPI document's text as well.

type findBody struct {
	Identifiers []identifierBody `json:"identifiers" minItems:"1" maxItems:"100" doc:"what the person is known by; all are taken to be of one person"`
}

type identifierBody struct {
	Type  string `json:"type" pattern:"^[a-z][a-z0-9_]{0,62}$" example:"email" doc:"email, phone, user_id, anonymous_id, device_id, whatsapp_id, identity, or a type of your own"`
	Value string `json:"value" minLength:"1" maxLength:"1024" example:"ann@example.com" doc:"the identifier itself"`
}

type foundBody struct {
	Subject string   `json:"subject" pattern:"^sub_[a-z2-7]{20}$" doc:"the person's id"`
	Claimed []string `json:"claimed,omitempty" doc:"subjects of which only a public source says that they are this person"`
}

type eraseBody struct {
	Reason   string `json:"reason,omitempty" maxLength:"500" doc:"why, for your own files; it is sealed"`
	Suppress bool   `json:"suppress,omitempty" doc:"refuse the person's identifiers from now on"`
}

type reasonBody struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"why, for your own files; it is sealed"`
}

type holdBody struct {
	Reason string     `json:"reason,omitempty" maxLength:"500" doc:"why, for your own files; it is sealed"`
	Until  *time.Time `json:"until,omitempty" doc:"when the hold ends by itself; without it, at :release"`
}

type receiptBody struct {
	Receipt         string    `json:"receipt" doc:"names this erasure"`
	ErasedAt        time.Time `json:"erased_at" doc:"from then on nobody reads the person"`
	UnrecoverableBy time.Time `json:"unrecoverable_by" doc:"from then on no old copy or backup can bring the person back"`
	Records         int64     `json:"records" doc:"how many records the person had"`
	Ledger          refBody   `json:"ledger"`
	Already         bool      `json:"already,omitempty" doc:"it was done by an earlier call"`
}

type refBody struct {
	Entry string `json:"entry" pattern:"^led_[a-z2-7]{20}$" doc:"the ledger entry"`
	Index *int64 `json:"index" doc:"its place in the log; null until it is sequenced"`
}

type stateBody struct {
	Subject   string     `json:"subject"`
	States    []string   `json:"states" nullable:"false" doc:"all that hold now: restricted, held, …"`
	HoldUntil *time.Time `json:"hold_until,omitempty"`
	Ledger    refBody    `json:"ledger"`
}

type subjectBody struct {
	Subject     string             `json:"subject"`
	Members     []string           `json:"members" nullable:"false" doc:"the subject ids that were found to be one person"`
	Identifiers []knownIdentifiers `json:"identifiers" nullable:"false"`
	States      []string           `json:"states" nullable:"false" doc:"restricted, held, …"`
	HoldUntil   *time.Time         `json:"hold_until,omitempty"`
	Reasons     map[string]string  `json:"reasons,omitempty" doc:"why the states are in force, as it was given"`
	Consents    []consentBody      `json:"consents" nullable:"false" doc:"what the person says now: consents, objections, opt-outs"`
	Said        []consentBody      `json:"said,omitempty" doc:"what they ever said, the newest first; the newest 200"`
	Origins     []originBody       `json:"origins,omitempty" doc:"whose law the person brings, and what tells it; which of it counts the programme says"`
	Counts      map[string]int64   `json:"counts" doc:"records by service/kind"`
	CreatedAt   time.Time          `json:"created_at"`
	Traits      *traitsBody        `json:"traits,omitempty" doc:"what identify records say of the person now"`

	Refused        []refusedLinkBody `json:"refused_links,omitempty" doc:"what was said of the person's identity and not followed"`
	TraitsWithheld string            `json:"traits_withheld,omitempty" doc:"restricted: traits are shown for a purpose of GDPR art. 18(2) only"`
}

type pageBody struct {
	Records []recordBody `json:"records" nullable:"false"`
	Next    string       `json:"next,omitempty" doc:"pass it as after for the next page; missing on the last"`
}

type recordsBody struct {
	Records []recordBody `json:"records" nullable:"false"`
}

type recordBody struct {
	ID         string         `json:"id" pattern:"^rec_[a-z2-7]{26}$"`
	ClientID   string         `json:"client_id" doc:"the client's own id of it: messageId, sg_event_id, MessageSid"`
	Kind       string         `json:"kind"`
	Service    string         `json:"service"`
	OccurredAt time.Time      `json:"occurred_at"`
	ReceivedAt time.Time      `json:"received_at"`
	Categories []string       `json:"categories" nullable:"false" doc:"data categories in it"`
	Gone       []string       `json:"gone,omitempty" doc:"categories whose person was erased"`
	Media      []mediaBody    `json:"media,omitempty" doc:"recordings and attachments"`
	Data       map[string]any `json:"data" doc:"what was sent, without what is gone"`
}

type statsBody struct {
	Since         *time.Time  `json:"since,omitempty"`
	Counts        []countBody `json:"counts" nullable:"false"`
	OldestRemains *time.Time  `json:"oldest_remains,omitempty" doc:"the earliest erasure whose ciphertext is still to be compacted away"`
}

type countBody struct {
	Service string `json:"service"`
	Kind    string `json:"kind"`
	Outcome string `json:"outcome" doc:"accepted, duplicate or refused; dropped counts what of accepted records was not kept"`
	Reason  string `json:"reason,omitempty" doc:"of what was refused or dropped"`
	Count   int64  `json:"count"`
}

type refusalsBody struct {
	Refusals []refusalBody `json:"refusals" nullable:"false"`
}

type refusalBody struct {
	Source  string    `json:"source" doc:"id of the source that sent it"`
	Reason  string    `json:"reason"`
	Path    string    `json:"path,omitempty" doc:"where in the event; * for names that could be data themselves"`
	Count   int64     `json:"count"`
	FirstAt time.Time `json:"first_at"`
	LastAt  time.Time `json:"last_at"`
}

// entryBody is the document's view of ledger.EntryView, which goes over the wire as it is.
type entryBody struct {
	ID         string          `json:"id" pattern:"^led_[a-z2-7]{20}$"`
	Index      int64           `json:"index" doc:"place of its leaf in the log"`
	Entry      json.RawMessage `json:"entry" doc:"what was entered"`
	Nonce      []byte          `json:"nonce" doc:"the leaf is SHA-256 of nonce and entry"`
	Sub        *subEntryBody   `json:"sub" doc:"where it stands in a leaf of several entries; null when it is one by itself"`
	Proof      []string        `json:"proof" nullable:"true" doc:"of inclusion, SHA-256 in base64 from the leaf up; null until a checkpoint covers the leaf"`
	Checkpoint *string         `json:"checkpoint" doc:"signed note (C2SP tlog-checkpoint) that the proof leads to; likewise"`
}

type subEntryBody struct {
	Ordinal   int             `json:"ordinal" doc:"from 1"`
	Path      []string        `json:"path" nullable:"true"`
	LeafEntry json.RawMessage `json:"leaf_entry"`
	LeafNonce []byte          `json:"leaf_nonce"`
}
