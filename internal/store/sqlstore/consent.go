package sqlstore

import (
	"crypto/rand"

	"domicile.dev/internal/consent"
	"domicile.dev/internal/id"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
	"domicile.dev/internal/subject"
)

// consentDDL is what people said. A row of standing is what one channel's words on one thing have come
// to; word is the history. Both go with the subject, in the transaction of its erasure. They are in the
// clear, as the states of subjects are, since every batch of every flow asks for them: the forms of how
// and text, and a programme's own words, leave no room for anything about a person.
//
// Thief's gain: how many people, known by random ids, consented to or refused what.
const consentDDL = `
CREATE TABLE standing (
	tenant      integer NOT NULL,
	subject     bytea   NOT NULL,
	about       text    NOT NULL, -- consent/PURPOSE, objection/PURPOSE or opt_out/NAME
	channel     text    NOT NULL, -- api, or a source's id and its category: src_…/Advertising
	no_at       bigint  NOT NULL, -- ms, 0: never
	yes_at      bigint  NOT NULL, -- ms, 0: never
	told_at     bigint  NOT NULL, -- ms, 0: never; of a yes that an SDK only repeats
	no_word     text    NOT NULL,
	how         text    NOT NULL,
	source      text    NOT NULL, -- id of a source or token
	text        text    NOT NULL, -- version of the text
	received_at bigint  NOT NULL,
	PRIMARY KEY (tenant, subject, about, channel)
) /*sqlite: WITHOUT ROWID */;

CREATE TABLE word (
	tenant      integer NOT NULL,
	subject     bytea   NOT NULL,
	received_at bigint  NOT NULL,
	no          bytea   NOT NULL, -- 8 random bytes
	about       text    NOT NULL,
	word        text    NOT NULL,
	channel     text    NOT NULL,
	act         integer NOT NULL,
	at          bigint  NOT NULL, -- the person's time
	how         text    NOT NULL,
	source      text    NOT NULL,
	text        text    NOT NULL,
	PRIMARY KEY (tenant, subject, received_at, no)
) /*sqlite: WITHOUT ROWID */;
`

// Consents implements consent.Store.
type Consents struct{}

var _ consent.Store = Consents{}

func consentArgs(keys []consent.Key) [][]any {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{keys[i].Tenant, keys[i].Subject[:]}
	}
	return args
}

// States implements consent.Store.
func (Consents) States(tx store.Tx, keys []consent.Key, each func(int, consent.State)) error {
	return conn(tx).QueryEach(`SELECT state, head FROM subject WHERE tenant = $1 AND subject = $2`, consentArgs(keys),
		func(i int, r Row) error {
			s := subject.State(r.Int(0))
			st := consent.State{Restricted: s&subject.Restricted != 0, Hidden: s&subject.Arriving != 0, Spoken: s&subject.Spoken != 0}
			copy(st.Head[:], r.Bytes(1))
			each(i, st)
			return nil
		})
}

// StatesAndStandings implements consent.Store.
func (Consents) StatesAndStandings(tx store.Tx, keys []consent.Key, each func(int, consent.State, *consent.Standing)) error {
	q := lookup{`s.state, w.about, w.channel, w.no_at, w.yes_at, w.told_at, w.text, s.numbers, s.residence, s.declared_at`,
		`subject s LEFT JOIN standing w ON w.tenant = s.tenant AND w.subject = s.subject`, `s.tenant = $1 AND s.subject = `, 10}
	return q.each(conn(tx), len(keys), func(i int) (uint32, id.Subject) { return keys[i].Tenant, keys[i].Subject },
		func(i int, r Row) error {
			s := subject.State(r.Int(0))
			st := consent.State{Restricted: s&subject.Restricted != 0, Hidden: s&subject.Arriving != 0, Spoken: s&subject.Spoken != 0,
				Origins: residency.Origins{Unlooked: r.Null(7), Residence: r.Text(8), DeclaredAt: r.Int(9)}}
			if !st.Origins.Unlooked {
				st.Origins.Numbers = r.Text(7)
			}
			if r.Null(1) {
				each(i, st, nil)
				return nil
			}
			each(i, st, &consent.Standing{About: consent.About(r.Text(1)), Channel: r.Text(2), NoAt: r.Int(3), YesAt: r.Int(4), ToldAt: r.Int(5), Text: r.Text(6)})
			return nil
		})
}

// Standings implements consent.Store.
func (Consents) Standings(tx store.Tx, keys []consent.Key, each func(int, consent.Standing)) error {
	return conn(tx).QueryEach(`SELECT about, channel, no_at, yes_at, told_at, no_word, how, source, text, received_at FROM standing
		WHERE tenant = $1 AND subject = $2`, consentArgs(keys),
		func(i int, r Row) error {
			each(i, consent.Standing{About: consent.About(r.Text(0)), Channel: r.Text(1), NoAt: r.Int(2), YesAt: r.Int(3), ToldAt: r.Int(4),
				No: r.Text(5), How: r.Text(6), Source: r.Text(7), Text: r.Text(8), ReceivedAt: r.Int(9)})
			return nil
		})
}

// PutStandings implements consent.Store.
func (Consents) PutStandings(tx store.Tx, tenant uint32, all []consent.Change) error {
	args := make([][]any, len(all))
	for i := range all {
		c := &all[i]
		args[i] = []any{tenant, c.Subject[:], string(c.About), c.Channel, c.NoAt, c.YesAt, c.ToldAt, c.No, c.How, c.Source, c.Text, c.ReceivedAt}
	}
	return conn(tx).ExecEach(`INSERT INTO standing (tenant, subject, about, channel, no_at, yes_at, told_at, no_word, how, source, text, received_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (tenant, subject, about, channel) DO UPDATE SET no_at = excluded.no_at, yes_at = excluded.yes_at, told_at = excluded.told_at,
			no_word = excluded.no_word, how = excluded.how, source = excluded.source, text = excluded.text, received_at = excluded.received_at`, args)
}

// Keep implements consent.Store.
func (Consents) Keep(tx store.Tx, tenant uint32, subjects []id.Subject, words []consent.Word) error {
	args := make([][]any, len(words))
	for i := range words {
		w := &words[i]
		no := make([]byte, 8)
		_, _ = rand.Read(no)
		args[i] = []any{tenant, subjects[i][:], w.ReceivedAt, no, string(w.About), w.Word, w.Channel, w.Act, w.At, w.How, w.Source, w.Text}
	}
	return conn(tx).ExecEach(`INSERT INTO word (tenant, subject, received_at, no, about, word, channel, act, at, how, source, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, args)
}

// MarkSpoken implements consent.Store.
func (Consents) MarkSpoken(tx store.Tx, keys []consent.Key) error {
	args := make([][]any, len(keys))
	for i := range keys {
		args[i] = []any{uint32(subject.Spoken), keys[i].Tenant, keys[i].Subject[:]}
	}
	return conn(tx).ExecEach(`UPDATE subject SET state = state | $1 WHERE tenant = $2 AND subject = $3`, args)
}

// Words implements consent.Store.
func (Consents) Words(tx store.Tx, keys []consent.Key, limit int, each func(int, consent.Word)) error {
	args := consentArgs(keys)
	for i := range args {
		args[i] = append(args[i], limit)
	}
	return conn(tx).QueryEach(`SELECT about, word, channel, act, at, received_at, how, source, text FROM word
		WHERE tenant = $1 AND subject = $2 ORDER BY tenant DESC, subject DESC, received_at DESC, no DESC LIMIT $3`, args,
		func(i int, r Row) error {
			each(i, consent.Word{About: consent.About(r.Text(0)), Word: r.Text(1), Channel: r.Text(2), Act: r.Int(3) != 0, At: r.Int(4),
				ReceivedAt: r.Int(5), How: r.Text(6), Source: r.Text(7), Text: r.Text(8)})
			return nil
		})
}

// eraseWords deletes what subjects said.
func eraseWords(c Conn, keys [][]any) error {
	if len(keys) == 0 {
		return nil
	}
	if err := c.ExecEach(`DELETE FROM standing WHERE tenant = $1 AND subject = $2`, keys); err != nil {
		return err
	}
	return c.ExecEach(`DELETE FROM word WHERE tenant = $1 AND subject = $2`, keys)
}
