package publish

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
)

// toldLine is what the entry's digest is over, a message at a time in order of subscriptions: the
// subscription (12), the state, a zero byte, the digest (16, or none where nothing was tried).
func toldLine(m Message) []byte {
	b := append([]byte{}, m.Subscriber[:]...)
	return append(append(b, m.State...), append([]byte{0}, m.Digest...)...)
}

// toldSums are the digests of who was told, and when.
type toldSums struct{ of, at hash.Hash }

func newToldSums() toldSums { return toldSums{sha256.New(), sha256.New()} }

func (s toldSums) add(m Message) {
	_, _ = s.of.Write(toldLine(m))
	_, _ = s.at.Write(timesLine(m))
}

func (s toldSums) whom() string { return hex.EncodeToString(s.of.Sum(nil)) }
func (s toldSums) when() string { return hex.EncodeToString(s.at.Sum(nil)) }

// timesLine is what the entry's times are over, likewise: the subscription (12), the channel, a zero byte, and the
// millisecond since 1970 in which the message was done (8, big-endian).
func timesLine(m Message) []byte {
	b := append(append([]byte{}, m.Subscriber[:]...), m.Channel...)
	return binary.BigEndian.AppendUint64(append(b, 0), uint64(m.DoneAt.UnixMilli()))
}

// Told is who was told of a version.
type Told struct {
	Version  string
	Complete bool // all messages are done; the ledger has an entry notice.told
	CanMail  bool
	Entry    string // in the ledger, when complete; "" for a version that was public before the region kept any
	Digest   string // of the entry, computed anew
	Times    string // likewise
	Messages []ToldOne
}

// ToldOne is one message.
type ToldOne struct {
	Subscription, Channel, State, Code string
	Attempts                           int
	QueuedAt, DoneAt                   time.Time
	Digest                             string
}

// ToldOf returns who was told of the version that people call so. It is for the operator.
func (s *Service) ToldOf(ctx context.Context, c *tenant.Caller, called string) (t Told, err error) {
	if err := operator(c); err != nil {
		return t, err
	}
	err = s.DB.View(ctx, func(tx store.Tx) error {
		all, err := s.Store.Versions(tx)
		if err != nil {
			return err
		}
		v := Find(all, called)
		if v == nil {
			return fault.New(fault.NotFound, "notice.unknown_version", "there is no such version").WithHint("domicile notice versions lists them")
		}
		t = Told{Version: v.Name(), Complete: v.Told, Entry: v.ToldEntry, CanMail: s.CanMail(), Messages: []ToldOne{}}
		sum := newToldSums()
		err = s.Store.Messages(tx, v.N, func(m Message) error {
			sum.add(m)
			t.Messages = append(t.Messages, ToldOne{subscriptionID(m.Subscriber), m.Channel, m.State, m.Code, m.Attempts, m.MadeAt, m.DoneAt, hex.EncodeToString(m.Digest)})
			return nil
		})
		t.Digest, t.Times = sum.whom(), sum.when()
		return err
	})
	return t, err
}
