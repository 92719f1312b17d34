package record

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"domicile.dev/internal/store"
)

// batchBytes is how much of a run one transaction writes: some milliseconds under the gate.
const batchBytes = 512 << 10

// metaBytes is the length of a block of fences or of a filter.
const metaBytes = 32 << 10

// errLost says that another node took over; what was begun is left to it.
var errLost = errors.New("record: another node merges")

// runWriter writes one run: blocks in several transactions while it is not yet published, and the
// rest in the one that publishes it.
type runWriter struct {
	l       *Log
	ctx     context.Context
	info    RunInfo
	blocks  blockWriter
	filter  *filter
	run     *run
	between func() error // called after each transaction

	pending [][]byte
	bytes   int
	written int  // blocks in the store
	begun   bool // so is the run
}

// newRunWriter begins a run of the rows first to last, with at most keys keys.
func (l *Log) newRunWriter(ctx context.Context, f Family, first, last, keys uint64) *runWriter {
	w := &runWriter{l: l, ctx: ctx, filter: newFilter(keys, piecesIn(l.opt.FilterBytes, f, keys))}
	w.info = RunInfo{ID: rand.Int64N(1<<47) + 1, Family: f, State: RunWriting, FirstPos: first, LastPos: last}
	w.run = &run{}
	w.blocks = blockWriter{family: f, firstPos: first, most: l.opt.blockBytes, flush: w.block}
	return w
}

// add appends an entry, greater than all before.
func (w *runWriter) add(e *entry) error {
	if e.pos < w.info.FirstPos || e.pos > w.info.LastPos {
		return corrupt(fmt.Sprintf("an entry of row %d in a run of %d to %d", e.pos, w.info.FirstPos, w.info.LastPos))
	}
	before := w.blocks.keys
	if err := w.blocks.add(e); err != nil {
		return err
	}
	if w.blocks.keys != before {
		w.filter.add(e.key.probe())
	}
	return nil
}

func (w *runWriter) block(body []byte, first key, pos uint64) error {
	w.info.Blocks++
	w.run.fences = append(w.run.fences, first)
	if w.info.Family == BySubject {
		w.run.starts = append(w.run.starts, pos)
	}
	return w.put(body)
}

func (w *runWriter) put(body []byte) error {
	w.pending = append(w.pending, body)
	if w.bytes += len(body); w.bytes < w.l.opt.batchBytes {
		return nil
	}
	if err := w.l.mergeDo(w.ctx, w.write); err != nil {
		return fmt.Errorf("write blocks of a run: %w", err)
	}
	w.begun, w.written = true, w.written+len(w.pending)
	w.pending, w.bytes = w.pending[:0], 0
	if w.between != nil {
		return w.between()
	}
	return nil
}

// write sends what is pending.
func (w *runWriter) write(tx store.Tx) error {
	if !w.begun {
		if err := w.l.store.InsertRun(tx, w.info); err != nil {
			return err
		}
	} else if ok, err := w.l.store.UpdateRun(tx, RunWriting, w.info); err != nil {
		return err
	} else if !ok { // another node has removed it
		return errLost
	}
	return w.l.store.InsertBlocks(tx, w.info.ID, w.written, w.pending)
}

// finish appends fences and filter. What is still pending then is for publish.
func (w *runWriter) finish() error {
	if err := w.blocks.end(); err != nil {
		return err
	}
	w.info.Entries, w.info.Keys = w.blocks.entries, w.blocks.keys
	var fences []byte
	for i, k := range w.run.fences {
		var b [16]byte
		k.put(&b)
		fences = append(fences, b[:]...)
		if w.run.starts != nil {
			fences = be.AppendUint64(fences, w.run.starts[i])
		}
	}
	size := 24 * (metaBytes / 24) // whole fences of either family
	for len(fences) > 0 {
		n := min(len(fences), size/48*48)
		if err := w.put(fences[:n:n]); err != nil {
			return err
		}
		w.info.FenceBlocks++
		fences = fences[n:]
	}
	w.filter.fold(w.info.Keys)
	w.info.FilterLines = w.filter.lines
	if w.info.Keys > 0 {
		for _, piece := range w.filter.pieces {
			for words := range slices.Chunk(piece, metaBytes/8) {
				if err := w.put(encodeWords(words)); err != nil {
					return err
				}
				w.info.FilterBlocks++
			}
		}
		w.run.filter = *w.filter
	}
	return nil
}

// publish writes the rest and makes the run visible, in a transaction that the caller opened.
func (w *runWriter) publish(tx store.Tx) error {
	if err := w.write(tx); err != nil {
		return err
	}
	info := w.info
	info.State = RunPublished
	if ok, err := w.l.store.UpdateRun(tx, RunWriting, info); err != nil {
		return err
	} else if !ok {
		return errLost
	}
	w.run.RunInfo = info
	return nil
}
