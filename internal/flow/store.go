package flow

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// Key names a stream: a flow as it runs for one tenant. Tenant 0 is the flow as such: how it stands
// for tenants that nobody has seen yet.
type Key struct {
	Tenant uint32
	Flow   string
}

func (k Key) lease() string { return fmt.Sprintf("flow %d %s", k.Tenant, k.Flow) }

// Stream is how far a flow is for a tenant.
type Stream struct {
	Key
	State    State
	Pos      uint64 // the cursor: rows of the log up to here are done with
	Window   int64  // Unix ms: the end of the last window that is done with; 0 for none
	Seq      uint64 // of the last batch that was begun
	Since    int64  // Unix ms: of the state
	Received int64  // Unix ms: when the newest record that is done with was received
	SentAt   int64  // Unix ms: of the last delivery; 0 for none
	Reasons  string // codes of what halted it, joined by commas
	Entry    id.Entry
}

// Batch is one that was begun and not ended. There is one a stream at most.
type Batch struct {
	Key
	ID                      string // "dlv_…"
	From, To                uint64 // rows after From, up to To
	WindowFrom, WindowUntil int64  // Unix ms, of an aggregated one; else 0
	Seq                     uint64
	Attempt                 int
	Count                   int
	BegunAt                 int64 // Unix ms: of the first attempt
	NextAt                  int64 // Unix ms: not before
	Error                   string
	Entry                   id.Entry
	Node                    string // whose attempt is in flight; "" for none
	Until                   int64  // Unix ms: the end of its lease
	Subjects                []byte // whom the attempt in flight holds: 12 bytes each, sorted
	Records                 []byte // of a parked one: 16 bytes each, in order
	Lines                   []byte // of a window whose first attempt was begun: its lines, sealed (windowgiven.go)
}

// LongestPause is what a recipient can ask for at most, and some time for a clock that was set.
const LongestPause = 25 * time.Hour

// waits says whether the next attempt isn't due yet. A time that is further away than any pause was
// written by a clock that has been set back since.
func (b *Batch) waits(now time.Time) bool {
	wait := b.NextAt - now.UnixMilli()
	return wait > 0 && wait <= LongestPause.Milliseconds()
}

// elsewhere says whether an attempt of another node is in flight.
func (b *Batch) elsewhere(node string, now int64) bool {
	return b.Node != "" && b.Node != node && b.Until > now && b.Until <= now+LeaseMost.Milliseconds()
}

// Reach says that a recipient had something of a person.
type Reach struct {
	Tenant          uint32
	Recipient, Flow string
	Form            string
	Subject         id.Subject
	At              int64 // Unix ms
}

// Count is how often something happened to a stream on a day.
type Count struct {
	Key
	Day  string // YYYY-MM-DD, UTC
	What string // "deliveries", "records" or "denied"
	Of   string // a form, or the code of a denial
	N    int64
}

// RefusedRecord is a record that a recipient refused for good, when it took the rest of the batch.
type RefusedRecord struct {
	Record   id.Record
	Delivery string
	At       int64 // Unix ms
}

// Sent is how many records with something of a category a recipient got by a flow.
type Sent struct {
	Key
	Recipient, Purpose string
	Category           string // "" for records whatever is in them
	Count              int64
	FirstAt, LastAt    int64 // Unix ms
}

// Change is what somebody did to a person.
type Change struct {
	Kind    string
	Tenant  uint32
	Subject id.Subject
}

// Store is what flows need of the region's store.
type Store interface {
	// Streams returns all of them.
	Streams(tx store.Tx) ([]Stream, error)
	// Stream returns nil when there is none.
	Stream(tx store.Tx, k Key) (*Stream, error)
	PutStream(tx store.Tx, s *Stream) error
	// Batches returns all of them, without subjects and records.
	Batches(tx store.Tx) ([]Batch, error)
	// Batch returns nil when there is none.
	Batch(tx store.Tx, k Key) (*Batch, error)
	PutBatch(tx store.Tx, b *Batch) error
	DeleteBatch(tx store.Tx, k Key) error
	// InFlight returns the batches of a tenant whose attempt is in flight at a time, with subjects.
	InFlight(tx store.Tx, tenant uint32, now int64) ([]Batch, error)
	// Renew prolongs the attempts and the streams' leases of a node.
	Renew(tx store.Tx, node string, until time.Time) error

	PutReach(tx store.Tx, all []Reach) error
	// ReachOf returns who had something of the subjects.
	ReachOf(tx store.Tx, tenant uint32, subjects []id.Subject) ([]Reach, error)
	// AnyReach calls each for those of the subjects of whom anybody had something.
	AnyReach(tx store.Tx, of []subject.Key, each func(subject.Key)) error
	AddCounts(tx store.Tx, counts []Count) error
	// Counts returns the sums since a day, of one tenant or with 0 of all, with Day "".
	Counts(tx store.Tx, tenant uint32, since string) ([]Count, error)

	// AddNotice enters a notice with its key.
	AddNotice(tx store.Tx, n *Notice, k NoticeKey) error
	PutNotice(tx store.Tx, n *Notice) error
	// Notice returns nil when there is none.
	Notice(tx store.Tx, notice id.Subject) (*Notice, error)
	// NoticeKey returns nil when there is none any more.
	NoticeKey(tx store.Tx, notice id.Subject) (*NoticeKey, error)
	DropNoticeKey(tx store.Tx, notice id.Subject) error
	// DueNotices returns those that are pending and due, the longest due first.
	DueNotices(tx store.Tx, now int64, limit int) ([]Notice, error)
	// Notices returns those of a tenant or with 0 of all, the pending first, then the newest.
	Notices(tx store.Tx, tenant uint32, limit int) ([]Notice, error)

	// PutOpen notes whom a pending correction is about; OpenOf calls each for those of the subjects.
	PutOpen(tx store.Tx, o Open) error
	OpenOf(tx store.Tx, of []subject.Key, each func(Open)) error
	// DropOpen forgets whom a notice is about.
	DropOpen(tx store.Tx, notice id.Subject) error
	// WaitsForOlder says whether an older correction of the same person to the same recipient is pending.
	WaitsForOlder(tx store.Tx, notice id.Subject) (bool, error)
	// KeptNotices returns those that are kept of somebody who moved, by the move.
	KeptNotices(tx store.Tx, tenant uint32, move string) ([]Notice, error)
	// KeptBefore returns those that have been kept since before a time, in Unix ms, at most limit.
	KeptBefore(tx store.Tx, before int64, limit int) ([]Notice, error)
	// PendingNotices calls each with how many are pending to a recipient, and when the oldest was made, in Unix ms.
	PendingNotices(tx store.Tx, each func(recipient string, n, oldest int64)) error

	// PutRefused notes single records that a recipient refused for good.
	PutRefused(tx store.Tx, k Key, records []id.Record, delivery string, at int64) error
	// DropRefused forgets those that it has taken since.
	DropRefused(tx store.Tx, k Key, records []id.Record) error
	Refused(tx store.Tx, k Key, limit int) ([]RefusedRecord, error)
	// AddSent adds to what recipients got; LastAt is when.
	AddSent(tx store.Tx, all []Sent) error
	// Sent returns what recipients got of a tenant or with 0 of all, in order.
	Sent(tx store.Tx, tenant uint32) ([]Sent, error)

	// Newest returns the last position of each tenant's rows, 0 for none.
	Newest(tx store.Tx, tenants []uint32) ([]uint64, error)
	// Last returns the last position of the cell.
	Last(tx store.Tx) uint64
	// Before returns the last position before whatever was received from a time on.
	Before(tx store.Tx, received time.Time) (uint64, error)

	ChangeSeq(tx store.Tx) int64
	// Changed returns what was done to people after seq; whole is false when not all is known.
	Changed(tx store.Tx, seq int64) (changes []Change, whole bool, err error)

	// StandsFor calls each for who takes part in what the given subjects stand in for; once, with nobody, for
	// one that stands in while nobody is known to take part; and not for persons, who stand in for none.
	StandsFor(tx store.Tx, tenant uint32, subjects []id.Subject, each func(standIn, person id.Subject)) error

	Lease(tx store.Tx, name, holder string, now time.Time, ttl time.Duration) (bool, error)
	Release(tx store.Tx, name, holder string) error
	// Elsewhere returns the names of leases of streams that other nodes hold.
	Elsewhere(tx store.Tx, node string, now int64) (map[string]bool, error)
}

// sizes of packed ids.
const (
	subjectBytes = len(id.Subject{})
	recordBytes  = 16
)

// packSubjects packs ids so that holds finds them, each once; list is spoilt.
func packSubjects(list []id.Subject) []byte {
	slices.SortFunc(list, func(a, b id.Subject) int { return bytes.Compare(a[:], b[:]) })
	list = slices.Compact(list)
	out := make([]byte, 0, len(list)*subjectBytes)
	for _, s := range list {
		out = append(out, s[:]...)
	}
	return out
}

// unpackSubjects returns the ids of a packed list; what isn't one is no list at all.
func unpackSubjects(packed []byte) ([]id.Subject, error) {
	if len(packed)%subjectBytes != 0 {
		return nil, fmt.Errorf("flow: %d bytes are no list of subjects", len(packed))
	}
	out := make([]id.Subject, 0, len(packed)/subjectBytes)
	for at := 0; at < len(packed); at += subjectBytes {
		out = append(out, id.Subject(packed[at:at+subjectBytes]))
	}
	return out, nil
}

// holds says whether a packed list has s.
func holds(packed []byte, s id.Subject) bool {
	n := len(packed) / subjectBytes
	at := func(i int) []byte { return packed[i*subjectBytes : (i+1)*subjectBytes] }
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), s[:]) >= 0 })
	return i < n && bytes.Equal(at(i), s[:])
}

// packRecords packs ids of records in their order.
func packRecords(list []id.Record) []byte {
	out := make([]byte, 0, len(list)*recordBytes)
	for _, r := range list {
		b := r.Bytes()
		out = append(out, b[:]...)
	}
	return out
}

// UnpackRecords returns the ids that a parked batch names.
func UnpackRecords(packed []byte) ([]id.Record, error) {
	if len(packed)%recordBytes != 0 {
		return nil, fmt.Errorf("flow: %d bytes are no list of records", len(packed))
	}
	out := make([]id.Record, 0, len(packed)/recordBytes)
	for at := 0; at < len(packed); at += recordBytes {
		out = append(out, id.RecordOf([recordBytes]byte(packed[at:at+recordBytes])))
	}
	return out, nil
}
