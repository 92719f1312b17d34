package flow

import (
	"context"
	"time"
)

// Delivery is one batch as its recipient gets it, or one notice about somebody whose data it had.
type Delivery struct {
	Kind       string // "" for a batch of records; of a notice what it tells: NoticeErasure and its like
	ID         string // "dlv_…", of a notice "ntc_…": the idempotency key, the same for every attempt
	Flow       string
	Tenant     string
	Region     string // where the data comes from
	Recipient  string
	Purpose    string
	Form       string    // clear, pseudonymised, aggregated
	Entry      string    // the ledger entry of the decision, "led_…"
	Programme  string    // hash
	Seq        uint64    // 1, 2, 3 … of this flow and tenant, so that order can be told
	Attempt    int       // 1 for the first
	Count      int       // records (lines of Body)
	BegunAt    time.Time // of the first attempt: the same for every one
	DecidedAt  time.Time // of this attempt
	MinimumTLS string    // "1.2" or "1.3"
	Body       []byte    // NDJSON, one object a line, the last one ended, too
}

// Connector brings deliveries to one recipient. It is safe for concurrent use.
type Connector interface {
	// Deliver returns nil once the recipient has acknowledged the whole batch. ctx's end cuts the attempt: when Deliver has
	// returned, nothing of it is sent any more. Errors: fault.Unavailable (try again; RetryAfter where the recipient said so),
	// fault.RateLimited (the same), fault.Invalid or Forbidden (the recipient refuses it for good: the batch is parked).
	// A batch of which it refuses single records gets NewRefused; a notice for which it has no way gets NoNotices.
	// No error holds a body or a header that the recipient sent.
	Deliver(ctx context.Context, d *Delivery) error
	Close() error
}
