package ledger

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what a checkpoint's text says.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
}

// String returns the note text, ending in a newline.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint parses a note text. It refuses extension lines: no log of ours writes any.
func ParseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return c, fmt.Errorf("checkpoint: want three lines")
	}
	c.Origin = lines[0]
	c.Size, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil || c.Size < 0 || c.Size >= 1<<maxLevels || strconv.FormatInt(c.Size, 10) != lines[1] {
		return c, fmt.Errorf("checkpoint: malformed size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return c, fmt.Errorf("checkpoint: malformed root hash")
	}
	c.Root = tlog.Hash(root)
	return c, nil
}

// OpenCheckpoint verifies a signed checkpoint: log must have signed it, and its origin be log's
// name. Signatures of the witnesses given must be right where they are present; the note says which
// those are. Others are ignored.
func OpenCheckpoint(msg []byte, log note.Verifier, witnesses ...note.Verifier) (Checkpoint, *note.Note, error) {
	n, err := note.Open(msg, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint: %w", err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	if c.Origin != log.Name() {
		return Checkpoint{}, nil, fmt.Errorf("checkpoint: origin is not that of the key, %s", log.Name())
	}
	for _, s := range n.Sigs {
		if s.Name == log.Name() && s.Hash == log.KeyHash() {
			return c, n, nil
		}
	}
	return Checkpoint{}, nil, fmt.Errorf("checkpoint: not signed by %s", log.Name())
}

// extends says whether the tree of size size that r reads has old as a prefix.
func extends(r tlog.HashReader, size int64, root tlog.Hash, old Checkpoint) error {
	switch {
	case old.Size == 0:
		return nil
	case size < old.Size:
		return fmt.Errorf("the log has %d leaves, and %d were signed", size, old.Size)
	}
	proof, err := tlog.ProveTree(size, old.Size, r)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, size, root, old.Size, old.Root); err != nil {
		return fmt.Errorf("the log of %d leaves does not extend what was signed at %d: %w", size, old.Size, err)
	}
	return nil
}

// unsignable is a refusal to sign because of what the store holds.
type unsignable struct{ err error }

func (u unsignable) Error() string { return "refuse to sign: " + u.err.Error() }
func (u unsignable) Unwrap() error { return u.err }

// Sign makes a checkpoint of the log as it stands, when it has grown since the last one or has
// none, and says whether it did. It refuses a log that doesn't extend what this node knows to be signed.
//
// Several nodes may do so at once: the same size has the same root and, Ed25519 being
// deterministic, the same bytes, and the store keeps the largest.
func (l *Ledger) Sign(ctx context.Context) (bool, error) {
	var next Checkpoint
	err := l.db.View(ctx, func(tx store.Tx) error {
		var err error
		next, err = l.next(tx)
		return err
	})
	if err != nil || next.Origin == "" {
		return false, err
	}
	msg, err := note.Sign(&note.Note{Text: next.String()}, l.keys.log)
	if err != nil {
		return false, fmt.Errorf("sign checkpoint %d: %w", next.Size, err)
	}
	err = l.db.Do(ctx, func(tx store.Tx) error { return l.store.PutCheckpoint(tx, next.Size, msg) })
	if err != nil {
		return false, fmt.Errorf("keep checkpoint %d: %w", next.Size, err)
	}
	l.sawSigned(next)
	l.counts.signed.Add(1)
	return true, nil
}

// next returns the checkpoint to sign, or none when the log has not grown.
func (l *Ledger) next(tx store.Tx) (none Checkpoint, err error) {
	size, _, err := l.store.Head(tx)
	if err != nil {
		return none, err
	}
	_, msg, err := l.store.Checkpoint(tx)
	if err != nil {
		return none, err
	}
	var stored Checkpoint
	if msg != nil {
		if stored, _, err = OpenCheckpoint(msg, l.keys.logOpen); err != nil {
			return none, unsignable{fmt.Errorf("the stored checkpoint: %w", err)}
		}
	}
	l.mu.Lock()
	known := l.signed
	l.mu.Unlock()
	if stored.Origin != "" && stored == known && size == stored.Size {
		return none, nil
	}
	r := l.reader(tx)
	c := Checkpoint{Origin: l.keys.origin, Size: size}
	if c.Root, err = tlog.TreeHash(size, r); err != nil {
		return none, unsignable{err}
	}
	for _, old := range []Checkpoint{stored, known} {
		if err := extends(r, size, c.Root, old); err != nil {
			return none, unsignable{err}
		}
	}
	if stored.Origin != "" && stored.Size == size {
		l.sawSigned(stored) // by another node
		return none, nil
	}
	return c, nil
}

func (l *Ledger) sawSigned(c Checkpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.Size > l.signed.Size || l.signed.Origin == "" {
		l.signedAt = l.now()
	}
	if c.Size >= l.signed.Size {
		l.signed = c
	}
}

// Checkpoint returns the newest checkpoint with the cosignatures got for it so far, or a fault
// NotFound when none was signed yet.
func (l *Ledger) Checkpoint(ctx context.Context) (msg []byte, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		msg, err = l.cosignedCheckpoint(tx)
		return err
	})
	return msg, err
}

func (l *Ledger) cosignedCheckpoint(tx store.Tx) ([]byte, error) {
	at, msg, err := l.store.Checkpoint(tx)
	if err != nil {
		return nil, err
	} else if msg == nil {
		return nil, fault.New(fault.NotFound, "ledger.no_checkpoint", "no checkpoint was signed yet")
	}
	err = l.store.Cosignatures(tx, func(_ string, size int64, line []byte) error {
		if size == at {
			msg = append(msg, line...)
		}
		return nil
	})
	return msg, err
}

// Run signs checkpoints as the log grows and asks the peers for cosignatures, until ctx ends. Then
// it signs once more, so that a clean stop leaves nothing unsigned, and returns when all it
// started has ended. Peers out of reach hold nothing up.
func (l *Ledger) Run(ctx context.Context) {
	done := l.startOthers(ctx)
	poll := time.NewTimer(0) // other nodes of the cell append too
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			l.lastSign(ctx)
			done()
			return
		case <-l.wake:
		case <-poll.C:
		}
		l.signAndTell(ctx)
		poll.Reset(l.opt.Every)
		select { // what is committed meanwhile waits in wake
		case <-ctx.Done():
		case <-poll.C:
		}
		poll.Reset(time.Second - l.opt.Every)
	}
}

func (l *Ledger) lastSign(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	l.signAndTell(ctx)
}

func (l *Ledger) signAndTell(ctx context.Context) {
	if _, err := l.Sign(ctx); err != nil {
		if ctx.Err() == nil {
			l.unsigned(ctx, err)
		}
		return
	}
	for _, p := range l.peers { // also when it has not grown: another node may have signed
		p.tell()
	}
}

// unsigned logs a failure: one of the store's content is for whoever is woken at night.
func (l *Ledger) unsigned(ctx context.Context, err error) {
	if _, bad := err.(unsignable); bad {
		l.counts.signFailed.Add(1)
		l.log.ErrorContext(ctx, "ledger does not extend what was signed: no checkpoint", "origin", l.keys.origin, "error", err)
		return
	}
	l.log.WarnContext(ctx, "checkpoint not signed, will try again", "origin", l.keys.origin, "error", err)
}
