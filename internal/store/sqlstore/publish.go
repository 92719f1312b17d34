package sqlstore

import (
	"encoding/json"
	"fmt"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/store"
)

// publishDDL is what a region made public, who may object until when, and who is told.
//
// Thief's gain: versions are public; which tenant objected to whom; how many subscribers there are and
// when they were told. With the keyring's key of the epoch: their addresses; with `client/1`: whether an
// address that the thief already knows is subscribed.
const publishDDL = `
CREATE TABLE publication (
	cell      integer NOT NULL,
	n         integer NOT NULL,
	at        bigint  NOT NULL, -- ms
	told      integer NOT NULL, -- 1 when everybody was told
	body      bytea   NOT NULL, -- publish.Version, JSON
	programme bytea   NOT NULL, -- canonical JSON, zstd
	PRIMARY KEY (cell, n)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE announced (
	cell      integer NOT NULL,
	recipient text    NOT NULL,
	n         integer NOT NULL, -- publication
	on_day    integer NOT NULL, -- days since 1970
	until_day integer NOT NULL,
	withdrawn integer NOT NULL, -- day, 0 while it is on the list
	PRIMARY KEY (cell, recipient, n)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE recipient_objection (
	tenant       integer NOT NULL,
	recipient    text    NOT NULL,
	made_at      bigint  NOT NULL, -- ms
	withdrawn_at bigint  NOT NULL, -- ms, 0 while it stands
	tenant_id    text    NOT NULL,
	PRIMARY KEY (tenant, recipient, made_at)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE subscriber (
	cell         integer NOT NULL,
	subscriber   bytea   NOT NULL, -- random
	channel      text    NOT NULL,
	tenant       integer NOT NULL, -- 0 for the public's
	tenant_id    text    NOT NULL,
	confirmed_at bigint  NOT NULL, -- ms, 0 before
	lists        integer NOT NULL, -- bits
	blind        bytea   NOT NULL, -- of the address
	key_epoch    bigint  NOT NULL,
	wrapped      bytea   NOT NULL, -- its key, docs/formats/keys.md
	sealed       bytea   NOT NULL, -- the address
	made_at      bigint  NOT NULL,
	asked_at     bigint  NOT NULL,
	PRIMARY KEY (cell, subscriber)
) /*sqlite: WITHOUT ROWID */;
CREATE UNIQUE INDEX subscriber_blind ON subscriber (cell, channel, tenant, blind);
CREATE INDEX subscriber_made ON subscriber (cell, confirmed_at, made_at);

CREATE TABLE outbox (
	cell       integer NOT NULL,
	n          integer NOT NULL, -- publication, 0 where it is about none
	subscriber bytea   NOT NULL,
	kind       text    NOT NULL,
	channel    text    NOT NULL,
	state      text    NOT NULL,
	attempts   integer NOT NULL,
	next_at    bigint  NOT NULL, -- ms
	made_at    bigint  NOT NULL,
	done_at    bigint  NOT NULL,
	code       text    NOT NULL,
	digest     bytea   NOT NULL,
	PRIMARY KEY (cell, n, subscriber, kind)
) /*sqlite: WITHOUT ROWID */;
CREATE INDEX outbox_due ON outbox (cell, state, channel, next_at);
`

// subscriberLanguageDDL: the thief learns in which language a subscriber reads.
const subscriberLanguageDDL = `
ALTER TABLE subscriber ADD COLUMN language text NOT NULL DEFAULT ''; -- of its mail, '' for the programme's
`

// Publications implements publish.Store.
type Publications struct{}

var _ publish.Store = Publications{}

// AddVersion implements publish.Store.
func (Publications) AddVersion(tx store.Tx, v *publish.Version) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode version %d: %w", v.N, err)
	}
	_, err = conn(tx).Exec(`INSERT INTO publication (cell, n, at, told, body, programme) VALUES (1, $1, $2, $3, $4, $5)`,
		v.N, v.PublishedAt.UnixMilli(), v.Told, body, v.Source)
	return err
}

// Versions implements publish.Store.
func (Publications) Versions(tx store.Tx) (all []publish.Version, err error) {
	err = conn(tx).Query(`SELECT body, told, told_entry FROM publication WHERE cell = 1 ORDER BY n`, func(r Row) error {
		var v publish.Version
		if err := json.Unmarshal(r.Bytes(0), &v); err != nil {
			return fmt.Errorf("decode a version: %w", err)
		}
		v.Told, v.ToldEntry = r.Int(1) != 0, r.Text(2)
		all = append(all, v)
		return nil
	})
	return all, err
}

// Version implements publish.Store.
func (Publications) Version(tx store.Tx, n int) (v *publish.Version, err error) {
	var bad error
	_, err = one(conn(tx), `SELECT body, told, told_entry FROM publication WHERE cell = 1 AND n = $1`, func(r Row) {
		v = &publish.Version{}
		if bad = json.Unmarshal(r.Bytes(0), v); bad != nil {
			bad = fmt.Errorf("decode version %d: %w", n, bad)
		}
		v.Told, v.ToldEntry = r.Int(1) != 0, r.Text(2)
	}, n)
	if err != nil {
		return nil, err
	}
	return v, bad
}

// Newest implements publish.Store.
func (Publications) Newest(tx store.Tx) (n int, err error) {
	_, err = one(conn(tx), `SELECT coalesce(max(n), 0) FROM publication WHERE cell = 1`, func(r Row) { n = int(r.Int(0)) })
	return n, err
}

// Untold implements publish.Store.
func (Publications) Untold(tx store.Tx) (all []int, err error) {
	err = conn(tx).Query(`SELECT n FROM publication WHERE cell = 1 AND told = 0 ORDER BY n`, func(r Row) error {
		all = append(all, int(r.Int(0)))
		return nil
	})
	return all, err
}

// Programme implements publish.Store.
func (Publications) Programme(tx store.Tx, n int) (src []byte, err error) {
	_, err = one(conn(tx), `SELECT programme FROM publication WHERE cell = 1 AND n = $1`, func(r Row) { src = r.Bytes(0) }, n)
	return src, err
}

// SetTold implements publish.Store.
func (Publications) SetTold(tx store.Tx, n int, entry string) error {
	_, err := conn(tx).Exec(`UPDATE publication SET told = 1, told_entry = $1 WHERE cell = 1 AND n = $2`, entry, n)
	return err
}

// PutAnnounced implements publish.Store.
func (Publications) PutAnnounced(tx store.Tx, a publish.Announced) error {
	_, err := conn(tx).Exec(`INSERT INTO announced (cell, recipient, n, on_day, until_day, withdrawn) VALUES (1, $1, $2, $3, $4, $5)
		ON CONFLICT (cell, recipient, n) DO UPDATE SET withdrawn = excluded.withdrawn`, a.Recipient, a.N, int32(a.On), int32(a.Until), int32(a.Withdrawn))
	return err
}

// Announcements implements publish.Store.
func (Publications) Announcements(tx store.Tx) (all []publish.Announced, err error) {
	err = conn(tx).Query(`SELECT recipient, n, on_day, until_day, withdrawn FROM announced WHERE cell = 1 ORDER BY n, recipient`, func(r Row) error {
		all = append(all, publish.Announced{Recipient: r.Text(0), N: int(r.Int(1)), On: programme.Day(r.Int(2)), Until: programme.Day(r.Int(3)), Withdrawn: programme.Day(r.Int(4))})
		return nil
	})
	return all, err
}

// PutObjection implements publish.Store.
func (Publications) PutObjection(tx store.Tx, o publish.Objection) error {
	_, err := conn(tx).Exec(`INSERT INTO recipient_objection (tenant, recipient, made_at, withdrawn_at, tenant_id) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant, recipient, made_at) DO UPDATE SET withdrawn_at = excluded.withdrawn_at`,
		o.Tenant, o.Recipient, o.MadeAt.UnixMilli(), millis(o.WithdrawnAt), o.TenantID)
	return err
}

// Objections implements publish.Store.
func (Publications) Objections(tx store.Tx, tenant uint32) (all []publish.Objection, err error) {
	err = conn(tx).Query(`SELECT o.tenant, o.recipient, o.made_at, o.withdrawn_at, o.tenant_id, coalesce(s.settled_at, 0), coalesce(s.outcome, ''), coalesce(s.reason, ''), coalesce(s.entry, '')
		FROM recipient_objection o LEFT JOIN objection_settled s ON s.tenant = o.tenant AND s.recipient = o.recipient AND s.made_at = o.made_at
		WHERE o.tenant = $1 OR $1 = 0 ORDER BY o.made_at, o.tenant, o.recipient`,
		func(r Row) error {
			all = append(all, publish.Objection{Tenant: uint32(r.Int(0)), Recipient: r.Text(1), MadeAt: instant(r.Int(2)), WithdrawnAt: instant(r.Int(3)), TenantID: r.Text(4),
				Settled: publish.Settlement{At: instant(r.Int(5)), Outcome: r.Text(6), Reason: r.Text(7), Entry: r.Text(8)}})
			return nil
		}, tenant)
	return all, err
}

// PutSubscriber implements publish.Store. A rotation replaces the key of a row that is there; nobody else does.
func (Publications) PutSubscriber(tx store.Tx, s *publish.Subscriber) error {
	_, err := conn(tx).Exec(`INSERT INTO subscriber (cell, subscriber, channel, tenant, tenant_id, confirmed_at, lists, blind, key_epoch, wrapped, sealed, made_at, asked_at, language)
		VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (cell, subscriber) DO UPDATE SET confirmed_at = excluded.confirmed_at, lists = excluded.lists, asked_at = excluded.asked_at, language = excluded.language`,
		s.ID[:], s.Channel, s.Tenant, s.TenantID, millis(s.ConfirmedAt), s.Lists, s.Blind, s.Epoch, s.Wrapped, s.Sealed, s.MadeAt.UnixMilli(), millis(s.AskedAt), s.Language)
	return err
}

const subscriberColumns = `SELECT subscriber, channel, tenant, tenant_id, confirmed_at, lists, blind, key_epoch, wrapped, sealed, made_at, asked_at, language FROM subscriber WHERE cell = 1 `

func scanSubscriber(r Row) *publish.Subscriber {
	s := &publish.Subscriber{Channel: r.Text(1), Tenant: uint32(r.Int(2)), TenantID: r.Text(3), Confirmed: r.Int(4) != 0, ConfirmedAt: instant(r.Int(4)), Lists: uint8(r.Int(5)),
		Blind: r.Bytes(6), Epoch: uint32(r.Int(7)), Wrapped: r.Bytes(8), Sealed: r.Bytes(9), MadeAt: instant(r.Int(10)), AskedAt: instant(r.Int(11)), Language: r.Text(12)}
	copy(s.ID[:], r.Bytes(0))
	return s
}

// Subscriber implements publish.Store.
func (Publications) Subscriber(tx store.Tx, id id.Subject) (s *publish.Subscriber, err error) {
	_, err = one(conn(tx), subscriberColumns+`AND subscriber = $1`, func(r Row) { s = scanSubscriber(r) }, id[:])
	return s, err
}

// SubscriberByBlind implements publish.Store.
func (Publications) SubscriberByBlind(tx store.Tx, channel string, tenant uint32, blind []byte) (s *publish.Subscriber, err error) {
	_, err = one(conn(tx), subscriberColumns+`AND channel = $1 AND tenant = $2 AND blind = $3`, func(r Row) { s = scanSubscriber(r) }, channel, tenant, blind)
	return s, err
}

// Subscribers implements publish.Store.
func (Publications) Subscribers(tx store.Tx, tenant uint32) (all []publish.Subscriber, err error) {
	err = conn(tx).Query(subscriberColumns+`AND channel = 'webhook' AND tenant = $1 ORDER BY made_at, subscriber`, func(r Row) error {
		all = append(all, *scanSubscriber(r))
		return nil
	}, tenant)
	return all, err
}

// CountSubscribers implements publish.Store.
func (Publications) CountSubscribers(tx store.Tx) (waiting, confirmed int, err error) {
	_, err = one(conn(tx), `SELECT (SELECT count(*) FROM subscriber WHERE cell = 1 AND confirmed_at = 0), (SELECT count(*) FROM subscriber WHERE cell = 1 AND confirmed_at > 0)`,
		func(r Row) { waiting, confirmed = int(r.Int(0)), int(r.Int(1)) })
	return waiting, confirmed, err
}

// DropSubscriber implements publish.Store.
func (Publications) DropSubscriber(tx store.Tx, id id.Subject, at time.Time) error {
	c := conn(tx)
	if _, err := c.Exec(`DELETE FROM subscriber WHERE cell = 1 AND subscriber = $1`, id[:]); err != nil {
		return err
	}
	if _, err := c.Exec(`DELETE FROM outbox WHERE cell = 1 AND n = 0 AND subscriber = $1`, id[:]); err != nil {
		return err
	}
	_, err := c.Exec(`UPDATE outbox SET state = 'dropped', done_at = $1 WHERE cell = 1 AND subscriber = $2 AND state = 'queued'`, at.UnixMilli(), id[:])
	return err
}

// Unconfirmed implements publish.Store.
func (Publications) Unconfirmed(tx store.Tx, before time.Time, limit int) (all []id.Subject, err error) {
	err = conn(tx).Query(`SELECT subscriber FROM subscriber WHERE cell = 1 AND confirmed_at = 0 AND made_at < $1 AND asked_at < $1 ORDER BY made_at LIMIT $2`, func(r Row) error {
		all = append(all, id.Subject(r.Bytes(0)))
		return nil
	}, before.UnixMilli(), limit)
	return all, err
}

// Queue implements publish.Store.
func (Publications) Queue(tx store.Tx, m publish.Message) error {
	_, err := conn(tx).Exec(`INSERT INTO outbox (cell, n, subscriber, kind, channel, state, attempts, next_at, made_at, done_at, code, digest)
		VALUES (1, $1, $2, $3, $4, 'queued', 0, $5, $5, 0, '', $6)
		ON CONFLICT (cell, n, subscriber, kind) DO UPDATE SET state = 'queued', attempts = 0, next_at = excluded.next_at, made_at = excluded.made_at, done_at = 0, code = ''`,
		m.N, m.Subscriber[:], m.Kind, m.Channel, m.MadeAt.UnixMilli(), []byte{})
	return err
}

// QueueNews implements publish.Store.
func (Publications) QueueNews(tx store.Tx, n int, lists uint8, at time.Time) (mail, webhooks int, err error) {
	c := conn(tx)
	for channel, count := range map[string]*int{publish.Mail: &mail, publish.Webhook: &webhooks} {
		rows, err := c.Exec(`INSERT INTO outbox (cell, n, subscriber, kind, channel, state, attempts, next_at, made_at, done_at, code, digest)
			SELECT 1, $1, subscriber, 'news', channel, 'queued', 0, $2, $2, 0, '', $3 FROM subscriber
			WHERE cell = 1 AND confirmed_at > 0 AND channel = $4 AND (lists & $5) <> 0`, n, at.UnixMilli(), []byte{}, channel, lists)
		if err != nil {
			return 0, 0, err
		}
		*count = int(rows)
	}
	return mail, webhooks, nil
}

const messageColumns = `SELECT n, subscriber, kind, channel, state, attempts, next_at, made_at, done_at, code, digest FROM outbox WHERE cell = 1 `

func scanMessage(r Row) publish.Message {
	m := publish.Message{N: int(r.Int(0)), Kind: r.Text(2), Channel: r.Text(3), State: r.Text(4), Attempts: int(r.Int(5)), Next: instant(r.Int(6)), MadeAt: instant(r.Int(7)),
		DoneAt: instant(r.Int(8)), Code: r.Text(9), Digest: r.Bytes(10)}
	copy(m.Subscriber[:], r.Bytes(1))
	return m
}

// Due implements publish.Store.
func (Publications) Due(tx store.Tx, now time.Time, mail bool, limit int) (all []publish.Message, err error) {
	for _, channel := range []string{publish.Mail, publish.Webhook} {
		if channel == publish.Mail && !mail {
			continue
		}
		if err := conn(tx).Query(messageColumns+`AND state = 'queued' AND channel = $1 AND next_at <= $2 ORDER BY next_at, n, subscriber LIMIT $3`, func(r Row) error {
			all = append(all, scanMessage(r))
			return nil
		}, channel, now.UnixMilli(), limit); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// SetMessage implements publish.Store. What was dropped meanwhile stays so.
func (Publications) SetMessage(tx store.Tx, m publish.Message) error {
	if m.Digest == nil {
		m.Digest = []byte{}
	}
	_, err := conn(tx).Exec(`UPDATE outbox SET state = $1, attempts = $2, next_at = $3, done_at = $4, code = $5, digest = $6
		WHERE cell = 1 AND n = $7 AND subscriber = $8 AND kind = $9 AND state = 'queued' AND made_at = $10`,
		m.State, m.Attempts, m.Next.UnixMilli(), millis(m.DoneAt), m.Code, m.Digest, m.N, m.Subscriber[:], m.Kind, m.MadeAt.UnixMilli())
	return err
}

// Messages implements publish.Store.
func (Publications) Messages(tx store.Tx, n int, each func(publish.Message) error) error {
	return conn(tx).Query(messageColumns+`AND n = $1 AND kind = 'news' ORDER BY subscriber`, func(r Row) error { return each(scanMessage(r)) }, n)
}

// NewsTo implements publish.Store.
func (Publications) NewsTo(tx store.Tx, subscriber id.Subject, each func(publish.Message)) error {
	return conn(tx).Query(messageColumns+`AND subscriber = $1 AND kind = 'news' AND state IN ('sent', 'failed') ORDER BY n DESC`,
		func(r Row) error { each(scanMessage(r)); return nil }, subscriber[:])
}

// Left implements publish.Store.
func (Publications) Left(tx store.Tx, n int) (left bool, err error) {
	_, err = one(conn(tx), `SELECT 1 FROM outbox WHERE cell = 1 AND state = 'queued' AND n = $1 AND kind = 'news' LIMIT 1`, func(Row) { left = true }, n)
	return left, err
}

// Waiting implements publish.Store.
func (Publications) Waiting(tx store.Tx) (mail, webhooks int, err error) {
	_, err = one(conn(tx), `SELECT (SELECT count(*) FROM outbox WHERE cell = 1 AND state = 'queued' AND channel = 'mail'),
		(SELECT count(*) FROM outbox WHERE cell = 1 AND state = 'queued' AND channel = 'webhook')`, func(r Row) { mail, webhooks = int(r.Int(0)), int(r.Int(1)) })
	return mail, webhooks, err
}
