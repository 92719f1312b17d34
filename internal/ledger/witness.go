package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxWitnessBytes is the most that the body of an add-checkpoint request may have.
const MaxWitnessBytes = 64 << 10

// maxProof is the most hashes of a consistency proof (c2sp.org/tlog-witness).
const maxProof = 63

// AddCheckpoint is the witness: it takes the body of a tlog-witness add-checkpoint request,
// and returns this region's cosignature line once it has kept the checkpoint.
//
// Faults: Invalid (malformed; old size above the checkpoint's), NotFound (a log that is no peer),
// Forbidden (not signed by it), Conflict (old is not what this witness holds, or the same size has
// another root; Extra "size" is what it holds), Unprocessable (the proof doesn't hold). A refusal
// that tells against the log is entered in this region's own ledger.
func (l *Ledger) AddCheckpoint(ctx context.Context, body []byte) (line []byte, err error) {
	req, err := parseAddCheckpoint(body)
	if err != nil {
		return nil, fault.New(fault.Invalid, "witness.malformed", "the request is not one of tlog-witness").Because(err)
	}
	origin, _, _ := strings.Cut(string(req.msg), "\n")
	p := l.peers[origin]
	if p == nil {
		return nil, fault.New(fault.NotFound, "witness.unknown_log", "this witness does not follow that log")
	}
	cp, n, err := OpenCheckpoint(req.msg, p.log)
	if err != nil {
		return nil, fault.New(fault.Forbidden, "witness.not_signed", "the checkpoint is not signed by its log").Because(err)
	}
	n.UnverifiedSigs = nil
	kept, err := note.Sign(n) // the text with the log's own signature alone
	if err != nil {
		return nil, fmt.Errorf("keep checkpoint of %s: %w", origin, err)
	}
	entered := false
	var refused *fault.Error
	err = l.db.Do(ctx, func(tx store.Tx) error {
		refused, entered = nil, false
		held, err := l.held(tx, origin)
		if err != nil {
			return err
		}
		if refused = req.judge(held, cp); refused != nil {
			entered, err = l.enterRefusal(tx, refused, held, cp, n.Sigs[0])
			return err
		}
		return l.store.PutMirror(tx, origin, cp.Size, kept, l.now().UnixMilli())
	})
	if err != nil {
		return nil, fmt.Errorf("witness checkpoint of %s: %w", origin, err)
	}
	if refused != nil {
		return nil, l.refusedOne(ctx, cp, refused, entered)
	}
	l.counts.cosigned.Add(1)
	return l.keys.cosignAt(n.Text, l.now()), nil
}

// Mirror returns the newest checkpoint of another log that this region verified, or a fault NotFound.
func (l *Ledger) Mirror(ctx context.Context, origin string) (msg []byte, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		_, msg, err = l.store.Mirror(tx, origin)
		return err
	})
	if err == nil && msg == nil {
		err = fault.New(fault.NotFound, "witness.unknown_log", "this witness has seen no checkpoint of that log")
	}
	return msg, err
}

// held returns the newest checkpoint kept of a log, size 0 when there is none.
func (l *Ledger) held(tx store.Tx, origin string) (c Checkpoint, err error) {
	_, msg, err := l.store.Mirror(tx, origin)
	if err != nil || msg == nil {
		return c, err
	}
	c, _, err = OpenCheckpoint(msg, l.peers[origin].log)
	return c, err
}

// addRequest is an add-checkpoint request.
type addRequest struct {
	old   int64
	proof tlog.TreeProof
	msg   []byte // the signed checkpoint
}

func parseAddCheckpoint(body []byte) (r addRequest, err error) {
	head, msg, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok || len(body) > MaxWitnessBytes {
		return r, fmt.Errorf("no empty line, or too long")
	}
	lines := strings.Split(string(head), "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	if !ok || len(lines)-1 > maxProof {
		return r, fmt.Errorf("want an old size and at most %d hashes", maxProof)
	}
	r.old, err = strconv.ParseInt(size, 10, 64)
	if err != nil || r.old < 0 || strconv.FormatInt(r.old, 10) != size {
		return r, fmt.Errorf("malformed old size")
	}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != tlog.HashSize {
			return r, fmt.Errorf("malformed hash")
		}
		r.proof = append(r.proof, tlog.Hash(h))
	}
	r.msg = msg
	return r, nil
}

// format is the inverse of parseAddCheckpoint.
func (r addRequest) format() []byte {
	b := fmt.Appendf(nil, "old %d\n", r.old)
	for _, h := range r.proof {
		b = fmt.Appendf(b, "%s\n", h)
	}
	return append(append(b, '\n'), r.msg...)
}

// Reasons that tell against the log, or may.
const (
	reasonFork  = "witness.fork"
	reasonProof = "witness.bad_proof"
)

// judge says why cp can't be cosigned by a witness that holds held, in the order that
// c2sp.org/tlog-witness gives, but that a fork is seen whatever the request says of the old size.
func (r addRequest) judge(held, cp Checkpoint) *fault.Error {
	switch {
	case held.Size > 0 && cp.Size == held.Size && cp.Root != held.Root:
		return fault.New(fault.Conflict, reasonFork, "the log has signed another tree of this size").With("size", held.Size)
	case r.old > cp.Size:
		return fault.New(fault.Invalid, "witness.malformed", "the old size is above the checkpoint's")
	case r.old != held.Size:
		return fault.New(fault.Conflict, "witness.other_size", "this witness holds another size").With("size", held.Size)
	case r.old == 0:
		if len(r.proof) > 0 || cp.Size == 0 && cp.Root != (&edge{}).root() {
			return fault.New(fault.Unprocessable, reasonProof, "from nothing, a proof is empty")
		}
	case tlog.CheckTree(r.proof, cp.Size, cp.Root, held.Size, held.Root) != nil:
		return fault.New(fault.Unprocessable, reasonProof, "the checkpoint does not extend the one this witness holds")
	}
	return nil
}

// refusals is what was entered of one log, so that nobody can fill our ledger with them.
type refusals struct {
	fork, proof time.Time // of the last entry
	root        tlog.Hash // of the last fork entered
}

// enterRefusal enters a refusal that tells against the log. The signature makes a fork provable:
// with origin, size and root it is the signed checkpoint again.
func (l *Ledger) enterRefusal(tx store.Tx, f *fault.Error, held, cp Checkpoint, sig note.Signature) (bool, error) {
	if f.Reason != reasonFork && f.Reason != reasonProof {
		return false, nil
	}
	now := l.now()
	l.mu.Lock()
	seen := l.refusals[cp.Origin]
	if seen == nil {
		seen = &refusals{}
		l.refusals[cp.Origin] = seen
	}
	recent := now.Sub(seen.proof) < 10*time.Minute
	if f.Reason == reasonFork {
		recent = cp.Root == seen.root || now.Sub(seen.fork) < time.Minute
	}
	l.mu.Unlock()
	if recent {
		return false, nil
	}
	reason := strings.TrimPrefix(f.Reason, "witness.")
	_, err := l.Append(tx, Draft{Kind: "witness.refused", At: now, Body: map[string]any{
		"origin": cp.Origin, "reason": reason, "size": cp.Size, "root": cp.Root.String(), "signature": sig.Base64,
		"held_size": held.Size, "held_root": held.Root.String()}})
	return err == nil, err
}

// refusedOne counts and logs a refusal after the transaction, and returns it.
func (l *Ledger) refusedOne(ctx context.Context, cp Checkpoint, f *fault.Error, entered bool) error {
	if f.Reason != reasonFork && f.Reason != reasonProof {
		return f // an out-of-date client: no more than that
	}
	l.counts.refused.Add(1)
	if entered {
		l.mu.Lock()
		if seen := l.refusals[cp.Origin]; f.Reason == reasonFork {
			seen.fork, seen.root = l.now(), cp.Root
		} else {
			seen.proof = l.now()
		}
		l.mu.Unlock()
		l.Committed()
		l.log.ErrorContext(ctx, "refused to cosign a checkpoint", "origin", cp.Origin, "size", cp.Size, "reason", f.Reason)
	}
	return f
}

// cosignTime returns when a cosignature was given, zero for a malformed one.
func cosignTime(s note.Signature) time.Time {
	b, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(b) < 12 {
		return time.Time{}
	}
	return time.Unix(int64(binary.BigEndian.Uint64(b[4:])), 0).UTC()
}
