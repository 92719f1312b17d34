package ledger

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/store"
)

// Standing is where the log is, and which other regions have signed it.
type Standing struct {
	Size     int64     // of the newest checkpoint, -1 when there is none
	SignedAt time.Time // when this node signed it or saw it signed, zero when that was before its start
	Mirrors  []Standby // one for each peer, by origin
}

// Standby is what a peer has cosigned of this log.
type Standby struct {
	Origin string
	Size   int64 // of the newest checkpoint that it cosigned, 0 for none
	At     time.Time
}

// Standing reads it from the store. A cosignature was verified when it was kept.
func (l *Ledger) Standing(ctx context.Context) (s Standing, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		s = Standing{Size: -1}
		size, msg, err := l.store.Checkpoint(tx)
		if err != nil {
			return err
		}
		if msg != nil {
			s.Size = size
		}
		by := map[string]Standby{}
		err = l.store.Cosignatures(tx, func(witness string, size int64, line []byte) error {
			by[witness] = Standby{Size: size, At: cosignedWhen(line)}
			return nil
		})
		for _, p := range l.peers {
			m := by[p.witness.Name()]
			m.Origin = p.Origin
			s.Mirrors = append(s.Mirrors, m)
		}
		return err
	})
	slices.SortFunc(s.Mirrors, func(a, b Standby) int { return strings.Compare(a.Origin, b.Origin) })
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.signed.Size == s.Size {
		s.SignedAt = l.signedAt
	}
	return s, err
}

// cosignedWhen reads the time in a cosignature's line, the zero time when there is none.
func cosignedWhen(line []byte) time.Time {
	parts := strings.Fields(string(line))
	if len(parts) != 3 {
		return time.Time{}
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) < 4 {
		return time.Time{}
	}
	sec, ok := cosignedAt(raw[4:])
	if !ok {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}
