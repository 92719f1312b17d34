// Package plane is the data path of one region: what comes in, is found, read, restricted and
// erased. Each verb is a file. Whatever writes goes through one commit group at a time (group.go),
// in which the records, the identities, the ledger entry and the counts stand or fall together.
package plane

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/media"
	"domicile.dev/internal/pseudonym"
	"domicile.dev/internal/record"
	"domicile.dev/internal/register"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
)

// Rules is what the data path asks of the programme.
type Rules interface {
	ingest.Kinds
	// Hash names the programme, "sha256:…".
	Hash() string
	// RetentionDays is how long parts of a category are kept; 0 is without a limit.
	RetentionDays(service, kind, category string) uint16
}

// ChangeStore tells the nodes of a cell of each other's erasures and merges.
type ChangeStore interface {
	Change(tx store.Tx, kind string, tenant uint32, subject []byte, at time.Time) (int64, error)
	ChangeAll(tx store.Tx, kind string, keys []subject.Key, at time.Time) error
	ChangeSeq(tx store.Tx) int64
	// GoneSince returns the subjects that were erased, merged or otherwise changed after seq;
	// whole is false when some changes are no longer known.
	GoneSince(tx store.Tx, seq int64) (gone []subject.Key, whole bool, err error)
	PruneChanges(tx store.Tx, before time.Time) (int64, error)
	// Lease lets one node of the cell at a time do what has that name.
	Lease(tx store.Tx, name, holder string, now time.Time, ttl time.Duration) (bool, error)
	// Release gives it up.
	Release(tx store.Tx, name, holder string) error
}

// StatStore keeps counts.
type StatStore interface {
	AddCounts(tx store.Tx, counts []Count) error
	AddRefusals(tx store.Tx, refusals []RefusalCount) error
	Counts(tx store.Tx, tenant uint32, since time.Time) ([]Count, error)
	Refusals(tx store.Tx, tenant uint32, limit int) ([]RefusalCount, error)
	AddViolations(tx store.Tx, found []Violation) error
	// Violations returns the latest first.
	Violations(tx store.Tx, tenant uint32, limit int) ([]Violation, error)
	AddCollected(tx store.Tx, all []Collected) error
	AddUnmapped(tx store.Tx, all []Unmapped) error
	Collected(tx store.Tx, tenant uint32) ([]Collected, error)
	// Unmapped returns the latest first.
	Unmapped(tx store.Tx, tenant uint32) ([]Unmapped, error)
	UnmappedDigests(tx store.Tx, tenant uint32, source string, each func([16]byte)) error
	// OldestRemains is when the longest erased person was erased whose sealed remains are not
	// yet compacted away, in Unix milliseconds; 0 when there are none.
	OldestRemains(tx store.Tx, tenant uint32) (int64, error)
}

// Options tunes a Plane. The zero value is right for a small region.
type Options struct {
	// GroupBytes is the most sealed bytes in one commit group. Default 4 MiB.
	GroupBytes int
	// Queue is the most operations that wait for a group. Default 4096; beyond it, callers are
	// told to come back.
	Queue int
	// People is the most people whose identifiers and keys are cached. Default 32768.
	People int
	// MediaBytes is the most bytes that a recording or attachment may have. Default 1 GiB.
	MediaBytes int64
	// Uploads is how many of them come in at a time. Default 16; beyond it, callers are told to come
	// back. Each holds a few hundred KiB, and in a bucket 10 MiB more.
	Uploads int
	// Fetcher, when set, gets recordings and attachments that lie at vendors.
	Fetcher Fetcher
	// URLs are the addresses of the regions, by id, for whoever brings what belongs elsewhere.
	URLs map[string]string
	// Adapter returns the adapter of a source by its id, "" when it isn't one of this region's.
	// Default: nobody knows.
	Adapter func(source string) string
	// CorrectAfter is how long what events change of a person is gathered before recipients are told of a
	// correction. Default 1 h.
	CorrectAfter time.Duration
	// ReindexPage is how many identifiers one transaction of a rotation of the index key moves. Default 250.
	ReindexPage int
	// Log gets what an operator should know. Default: nothing.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Sink, when set, takes a group in place of the store. Only the benchmark of design 13 sets it.
	Sink func(chunks []*record.Chunk) error
}

// Parts are the rooms that a Plane works with; it closes none of them.
type Parts struct {
	Region   string
	DB       store.DB
	Rules    Rules
	Vault    *vault.Vault
	Log      *record.Log
	Ledger   *ledger.Ledger
	Subjects subject.Store
	Changes  ChangeStore
	Counters StatStore
	Media    MediaStore
	// Blobs is where recordings and attachments lie. Without it none is taken or shown.
	Blobs media.Store
	// Trust says how far a source's word goes, by its id. Nil: every source's word counts.
	Trust func(source string) term.Trust
	Moves MoveStore // nil: nobody moves
	// Consents keeps what people say. Without it nothing is heard.
	Consents consent.Store
	// Choices returns what the categories of a source's consent objects stand for. Nil: they are content.
	Choices func(*tenant.Source) []consent.Choice
	// Purpose says whether the programme declares a purpose. Nil: any word is one.
	Purpose func(id string) bool
	// Askings returns the consents that have to be asked for again, nil while nobody knows. Nil: none have to.
	Askings func() *register.Askings
	// Uses returns what a purpose of the programme may be used for, nil for one that isn't declared. Nil: nobody
	// reads for a purpose.
	Uses func(purpose string) *Use
	// Recipient says whether the programme declares a recipient. Nil: any word is one.
	Recipient func(id string) bool
	// Pseudonyms is the map back from what recipients call people. Nil: none is turned back.
	Pseudonyms pseudonym.Store
	// Attempts are the deliveries of flows that are on their way. Nil: nothing leaves.
	Attempts Attempts
	// Notices tells recipients of what became of people whose data they had. Nil: nobody is told.
	Notices Notices
	// Owed keeps what is still to be told. Nil: no corrections by events, and nothing of who moved, is.
	Owed OwedStore
}

// Notices are what recipients have to be told about people whose data they had.
type Notices interface {
	// Had returns those of the subjects of whom some recipient had something.
	Had(tx store.Tx, of []subject.Key) (map[subject.Key]bool, error)
	// Tell writes, in tx, one of the kind to each recipient that had something of the person, who is rows,
	// while their keys are still there. receipt says what was done.
	Tell(tx store.Tx, kind, tenantID, receipt string, rows []*subject.Row) error
	// Correct is Tell for a correction that events brought: one at a time. enter is called once when there is
	// something to write, and returns the receipt.
	Correct(tx store.Tx, tenantID string, rows []*subject.Row, enter func() (receipt string, err error)) error
	// Keep writes, while the keys of who leaves are there, what their erasure elsewhere will have to tell;
	// Recall makes notices of it, on a word of the new home that is told apart from others by its id.
	Keep(tx store.Tx, tenantID, move string, rows []*subject.Row) error
	Recall(tx store.Tx, tenant uint32, move, word, kind, receipt string) error
}

// Attempts are deliveries on their way out of the region.
type Attempts interface {
	// Cut ends those that hold one of the subjects, who were erased, and returns when none is on its
	// way any more. Without subjects it is about everybody who is erased.
	Cut(ctx context.Context, tenant uint32, gone []id.Subject) error
}

// Plane is the data path of one region on one node. It is safe for concurrent use.
type Plane struct {
	Parts
	opt    Options
	people *people
	says   *consent.Service
	now    func() time.Time
	log    *slog.Logger

	queue   chan *op
	stopped chan struct{} // closed when the committer has ended
	stop    sync.Once
	closing chan struct{}
	changes int64                // the last change seen; the committer's own
	owes    map[uint32]bool      // tenants of whom anybody had something; the committer's own
	failing map[subject.Key]int  // how often a comparison failed; of whoever calls CorrectOnce, one at a time
	flags   map[uint32]MoveFlags // what moves left, by tenant; the committer's own
	// unmapped are digests of paths that no kind maps, by source; the committer's own.
	unmapped map[sourceKey]map[[16]byte]struct{}
	reindex  chan struct{}    // wakes Reindex
	looked   chan subject.Key // whose numbers were looked at and aren't kept yet
	metrics  *metrics
	node     string // in leases

	binders sync.Map // tenant id → *seal.Binder
	names   sync.Map // tenant number → tenant id
	shapes  shapes

	uploads chan struct{} // one for each upload under way
	noMedia noMedia
	blobsAt time.Time // when blobs were last compared with the store; the sweep's own
}

// New returns a Plane and starts its committer; Close ends it.
func New(parts Parts, opt Options) *Plane {
	if opt.GroupBytes == 0 {
		opt.GroupBytes = 4 << 20
	}
	if opt.Queue == 0 {
		opt.Queue = 4096
	}
	if opt.MediaBytes == 0 {
		opt.MediaBytes = defaultMedia
	}
	if opt.Uploads == 0 {
		opt.Uploads = defaultUploads
	}
	if opt.CorrectAfter == 0 {
		opt.CorrectAfter = time.Hour
	}
	if opt.People == 0 {
		opt.People = 32 << 10
	}
	if opt.ReindexPage == 0 {
		opt.ReindexPage = 250
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	p := &Plane{Parts: parts, opt: opt, people: newPeople(opt.People), now: opt.Now, log: opt.Log,
		flags: map[uint32]MoveFlags{}, owes: map[uint32]bool{}, failing: map[subject.Key]int{}, unmapped: map[sourceKey]map[[16]byte]struct{}{}, queue: make(chan *op, opt.Queue), stopped: make(chan struct{}), closing: make(chan struct{}), reindex: make(chan struct{}, 1), looked: make(chan subject.Key, mostLooked),
		uploads: make(chan struct{}, opt.Uploads)}
	if p.Consents != nil {
		p.says = consent.New(p.Consents)
		p.says.Numbers = p.Numbers
	}
	p.metrics, p.node = newMetrics(p), id.New("node", 8)
	go p.commitLoop()
	return p
}

// Close lets what is queued be committed and stops. Whoever submits afterwards is told to come back.
func (p *Plane) Close() {
	p.stop.Do(func() { close(p.closing) })
	<-p.stopped
}

// submit queues o and waits until its group is durable or failed.
func (p *Plane) submit(ctx context.Context, o *op) error {
	o.done = make(chan error, 1)
	select {
	case <-p.closing:
		return errStopping()
	default:
	}
	select {
	case p.queue <- o:
	default:
		return &fault.Error{Kind: fault.RateLimited, Reason: "plane.busy", Public: "the region has more to write than it can take",
			Hint: "send the same request again after the time in Retry-After", RetryAfterSeconds: 1}
	}
	select {
	case err := <-o.done:
		return err
	case <-p.stopped:
		select {
		case err := <-o.done:
			return err
		default:
			return errStopping()
		}
	}
}

func errStopping() error {
	return &fault.Error{Kind: fault.Unavailable, Reason: "plane.stopping", Public: "this node is stopping",
		Hint: "send the same request again", RetryAfterSeconds: 1}
}

func (p *Plane) binder(tenantID string) *seal.Binder {
	if b, ok := p.binders.Load(tenantID); ok {
		return b.(*seal.Binder)
	}
	b, _ := p.binders.LoadOrStore(tenantID, seal.NewBinder(p.Region, tenantID))
	return b.(*seal.Binder)
}

// name notes the id of a tenant by its number. Whoever brings an operation brings both, before the
// operation can need it.
func (p *Plane) name(no uint32, tid string) {
	if _, known := p.names.Load(no); !known {
		p.names.Store(no, tid)
	}
}

func (p *Plane) tenantOf(no uint32) string {
	tid, _ := p.names.Load(no)
	s, _ := tid.(string)
	return s
}

// identifierAD is the associated data of an identifier's sealed value.
func (p *Plane) identifierAD(tenantID string, s id.Subject, typ string) []byte {
	ad := make([]byte, 0, 64)
	for _, part := range []string{"domicile/identifier/1", p.Region, tenantID, string(s[:]), typ} {
		ad = append(ad, byte(len(part)>>8), byte(len(part)))
		ad = append(ad, part...)
	}
	return ad
}
