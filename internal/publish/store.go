package publish

import (
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store"
)

// Store is what publishing needs of the region's database.
type Store interface {
	// AddVersion enters a version with its programme.
	AddVersion(tx store.Tx, v *Version) error
	// Versions returns all, the oldest first, without their programmes.
	Versions(tx store.Tx) ([]Version, error)
	// Version returns version n, nil when there is none.
	Version(tx store.Tx, n int) (*Version, error)
	// Newest returns the number of the newest version, 0 when there is none.
	Newest(tx store.Tx) (int, error)
	// Untold returns the versions of which not everybody was told.
	Untold(tx store.Tx) ([]int, error)
	// Programme returns the programme of version n, nil when there is none.
	Programme(tx store.Tx, n int) ([]byte, error)
	// SetTold enters that everybody was told of version n, and the ledger's entry of it.
	SetTold(tx store.Tx, n int, entry string) error

	// PutAnnounced inserts or replaces an announcement, by its recipient and version.
	PutAnnounced(tx store.Tx, a Announced) error
	// Announcements returns all, the oldest first.
	Announcements(tx store.Tx) ([]Announced, error)
	// PutObjection inserts or replaces an objection, by tenant, recipient and when it was made.
	PutObjection(tx store.Tx, o Objection) error
	// PutSettlement inserts or replaces how an objection was settled.
	PutSettlement(tx store.Tx, o Objection) error
	// Objections returns a tenant's, or all when tenant is 0, with what was settled; the oldest first.
	Objections(tx store.Tx, tenant uint32) ([]Objection, error)

	// PutSubscriber inserts or replaces a subscriber, but for its key.
	PutSubscriber(tx store.Tx, s *Subscriber) error
	// Subscriber returns one; nil when there is none.
	Subscriber(tx store.Tx, s id.Subject) (*Subscriber, error)
	// SubscriberByBlind finds the one of a channel and tenant with that address.
	SubscriberByBlind(tx store.Tx, channel string, tenant uint32, blind []byte) (*Subscriber, error)
	// Subscribers returns a tenant's webhooks, the oldest first.
	Subscribers(tx store.Tx, tenant uint32) ([]Subscriber, error)
	// CountSubscribers counts those that wait for a confirmation, and those that have it.
	CountSubscribers(tx store.Tx) (waiting, confirmed int, err error)
	// DropSubscriber removes a subscriber with its key, and drops what is queued for it.
	DropSubscriber(tx store.Tx, s id.Subject, at time.Time) error
	// Unconfirmed returns subscribers that were made before a time and never confirmed.
	Unconfirmed(tx store.Tx, before time.Time, limit int) ([]id.Subject, error)

	// Queue puts a message into the outbox; one of the same kind, version and subscriber is queued anew.
	Queue(tx store.Tx, m Message) error
	// QueueNews queues one message about version n for each confirmed subscriber of any of lists, and
	// returns how many by channel.
	QueueNews(tx store.Tx, n int, lists uint8, at time.Time) (mail, webhooks int, err error)
	// Due returns messages that are queued and whose time has come, the oldest first; mail only when
	// it can be sent.
	Due(tx store.Tx, now time.Time, mail bool, limit int) ([]Message, error)
	// SetMessage replaces what changes of a message.
	SetMessage(tx store.Tx, m Message) error
	// Messages calls each for every message about version n, in order of subscribers.
	Messages(tx store.Tx, n int, each func(Message) error) error
	// NewsTo calls each for every message about a version to a subscriber that is done, the newest version first.
	NewsTo(tx store.Tx, subscriber id.Subject, each func(Message)) error
	// Left says whether a message about version n is queued.
	Left(tx store.Tx, n int) (bool, error)
	// Waiting counts messages that are queued, by channel.
	Waiting(tx store.Tx) (mail, webhooks int, err error)
}

// dayOf is the UTC day of an instant.
func dayOf(t time.Time) programme.Day { return programme.DayOf(t) }
