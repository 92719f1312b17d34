package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"domicile.dev/internal/store"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	callTimeout = 5 * time.Second
	minPause    = 500 * time.Millisecond // after a failed call; doubled each time
	maxPause    = 30 * time.Second
)

// peer is another region and what this node knows of it. Its size and done belong to its goroutine.
type peer struct {
	Peer
	log, witness note.Verifier
	wake         chan struct{}

	size int64 // of our log that the peer holds, as far as we know
	done int64 // size of the newest checkpoint of ours that it cosigned
}

func newPeer(p Peer) (q *peer, err error) {
	q = &peer{Peer: p, wake: make(chan struct{}, 1)}
	if q.log, err = NewVerifier(p.LogKey); err != nil {
		return nil, fmt.Errorf("its log key: %w", err)
	}
	if q.log.Name() != p.Origin {
		return nil, fmt.Errorf("its log key is that of %s", q.log.Name())
	}
	if q.witness, err = NewVerifier(p.WitnessKey); err != nil {
		return nil, fmt.Errorf("its witness key: %w", err)
	}
	return q, nil
}

// tell wakes the peer's goroutine; it never waits.
func (p *peer) tell() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// startOthers starts a goroutine for each peer that can be called, and one that reads on in our own
// entries. They end with ctx; the function returned waits for that.
func (l *Ledger) startOthers(ctx context.Context) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() { l.lookOn(ctx) })
	for _, p := range l.peers {
		if p.URL != "" {
			wg.Go(func() { l.follow(ctx, p) })
		}
	}
	return wg.Wait
}

// follow sends p each new checkpoint. After a failure it pauses, longer each time.
func (l *Ledger) follow(ctx context.Context, p *peer) {
	var failed int
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		}
		err := l.Push(ctx, p.Origin)
		if err == nil {
			failed = 0
			continue
		}
		if ctx.Err() != nil {
			return
		}
		l.counts.pushFailed.Add(1)
		if failed++; failed == 1 { // once for each absence
			l.log.WarnContext(ctx, "no cosignature from a peer", "peer", p.Origin, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(minPause<<min(failed-1, 10), maxPause)):
			p.tell() // try again though nothing grew
		}
	}
}

// errBehind says that a peer holds of our log what we don't.
var errBehind = errors.New("the peer holds another or a later tree of this log than this store has")

// Push sends the newest checkpoint to one peer and keeps its cosignature. It does nothing when the
// peer has cosigned it already. Run calls it; only one call for a peer may be under way.
func (l *Ledger) Push(ctx context.Context, origin string) error {
	p := l.peers[origin]
	if p == nil {
		return fmt.Errorf("push to %s: not a peer", origin)
	}
	for range 2 { // the first answer may say what size the peer holds
		req, size, err := l.request(ctx, p)
		if err != nil || size == 0 {
			return err
		}
		status, answer, err := l.call(ctx, p, req.format())
		if err != nil {
			return err
		}
		switch status {
		case http.StatusOK:
			return l.keepCosignature(ctx, p, size, req.msg, answer)
		case http.StatusConflict:
			holds, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
			if err != nil || holds < 0 {
				return fmt.Errorf("push to %s: it holds another size and doesn't say which", origin)
			}
			if holds > size || holds == p.size {
				l.counts.behind.Add(1)
				return fmt.Errorf("push to %s: it holds %d, we have %d: %w", origin, holds, size, errBehind)
			}
			p.size = holds
		default:
			return fmt.Errorf("push to %s: status %d", origin, status)
		}
	}
	return fmt.Errorf("push to %s: it changes its mind on what it holds", origin)
}

// request makes the request for p from the newest checkpoint; size 0 means there is nothing to do.
func (l *Ledger) request(ctx context.Context, p *peer) (r addRequest, size int64, err error) {
	err = l.db.View(ctx, func(tx store.Tx) error {
		size, r.msg, err = l.store.Checkpoint(tx)
		if err != nil || size == p.done {
			size = 0
			return err
		}
		if p.size == 0 { // since the start
			err := l.store.Cosignatures(tx, func(name string, at int64, _ []byte) error {
				if name == p.witness.Name() {
					p.size = at
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if r.old = min(p.size, size); r.old > 0 {
			r.proof, err = tlog.ProveTree(size, r.old, l.reader(tx))
		}
		return err
	})
	return r, size, err
}

func (l *Ledger) call(ctx context.Context, p *peer, body []byte) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	url := strings.TrimSuffix(p.URL, "/") + "/ledger/witness/add-checkpoint"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("push to %s: %w", p.Origin, err)
	}
	res, err := l.opt.Client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("push to %s: %w", p.Origin, err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, MaxWitnessBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("push to %s: %w", p.Origin, err)
	}
	return res.StatusCode, answer, nil
}

// keepCosignature takes p's own line from its answer once it is verified.
func (l *Ledger) keepCosignature(ctx context.Context, p *peer, size int64, msg, answer []byte) error {
	n, err := note.Open(append(bytes.Clone(msg), answer...), note.VerifierList(p.witness))
	if err != nil {
		return fmt.Errorf("push to %s: its cosignature: %w", p.Origin, err)
	}
	line := fmt.Appendf(nil, "— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64)
	err = l.db.Do(ctx, func(tx store.Tx) error { return l.store.PutCosignature(tx, p.witness.Name(), size, line) })
	if err != nil {
		return fmt.Errorf("keep cosignature of %s: %w", p.Origin, err)
	}
	p.size, p.done = size, size
	l.counts.witnessed.Add(1)
	return nil
}
