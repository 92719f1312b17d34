package bulk

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"domicile.dev/internal/fault"
)

// Taken is what a node answers to a batch.
type Taken struct {
	Accepted, Duplicate int64
	Refused             []Refused
}

// Refused is a record that it did not keep, and More that follow it for the same reason.
type Refused struct {
	Index        int
	Reason, Path string
	More         int
	Region       string // where it belongs, when that is why
}

// Send sends records, one a line, and returns when they are durable. It tries again itself where
// that may help: what it returns ends the import. The node knows records by their ids, so to send
// a body twice is as good as once.
type Send func(ctx context.Context, body []byte) (Taken, error)

// Options tunes Run. The zero value is right.
type Options struct {
	// InFlight is how many batches are on their way at once. Default 4.
	InFlight int
	// Progress is told after each batch how far the import is.
	Progress func(Position, *Counts)
}

// Run sends what r reads and enters it in j, in order: at any time j says what is durable at the
// node up to a line, and of nothing after it. However Run ends, what was entered is saved.
func Run(ctx context.Context, r *Reader, send Send, j *Journal, opt Options) error {
	if opt.InFlight <= 0 {
		opt.InFlight = 4
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Memory is bounded by the batches that there are: who has none waits.
	free := make(chan *Batch, opt.InFlight+2)
	for range cap(free) {
		free <- &Batch{}
	}
	read, sent := make(chan *Batch), make(chan outcome, cap(free))
	var readErr error
	var work sync.WaitGroup
	work.Go(func() {
		defer close(read)
		readErr = feed(ctx, r, free, read)
	})
	for range opt.InFlight {
		work.Go(func() {
			for b := range read {
				sent <- deliver(ctx, b, send)
			}
		})
	}
	go func() {
		work.Wait()
		close(sent)
	}()
	err := collect(sent, free, j, opt, cancel)
	if err == nil {
		err = readErr // collect ended, so the reader has, too
	}
	switch {
	case err == nil:
		return j.finish()
	case j.began():
		return errors.Join(err, j.save())
	}
	return err
}

// feed reads batches in order until the file ends.
func feed(ctx context.Context, r *Reader, free <-chan *Batch, read chan<- *Batch) error {
	for seq := 0; ; seq++ {
		var b *Batch
		select {
		case b = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := r.Next(b); err == io.EOF { //nolint:errorlint // Next returns it bare
			return nil
		} else if err != nil {
			return err
		}
		b.seq = seq
		select {
		case read <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// outcome is a batch and what became of it.
type outcome struct {
	batch *Batch
	taken Taken
	err   error
}

func deliver(ctx context.Context, b *Batch, send Send) outcome {
	if len(b.Lines) == 0 {
		return outcome{batch: b}
	}
	t, err := send(ctx, b.Body)
	if err == nil {
		err = locate(b, t)
	}
	return outcome{b, t, err}
}

// locate adds the lines of what was refused to b.Bad. The answer must account for every record:
// else nothing is known of any.
func locate(b *Batch, t Taken) error {
	refused := int64(0)
	for _, r := range t.Refused {
		if r.Index < 0 || r.More < 0 || r.Index >= len(b.Lines) || r.More >= len(b.Lines)-r.Index {
			return unaccounted()
		}
		for i := range r.More + 1 {
			b.Bad = append(b.Bad, Bad{b.Lines[r.Index+i], r.Reason, r.Path, r.Region})
			refused++
		}
	}
	if t.Accepted < 0 || t.Duplicate < 0 || t.Accepted+t.Duplicate+refused != int64(len(b.Lines)) {
		return unaccounted()
	}
	slices.SortStableFunc(b.Bad, func(x, y Bad) int { return cmp.Compare(x.Line, y.Line) })
	return nil
}

func unaccounted() error {
	return fault.New(fault.Unavailable, "node.bad_answer", "the node's answer does not account for every record").
		WithHint("is what answers there a Domicile node of this version?")
}

// collect enters outcomes in the order of the file. After the first that failed, it enters what
// lies before it and waits for the others to end.
func collect(sent <-chan outcome, free chan<- *Batch, j *Journal, opt Options, cancel func()) error {
	waiting := map[int]outcome{}
	next := 0
	var failed error
	for o := range sent {
		waiting[o.batch.seq] = o
		for o, ok := waiting[next]; ok && failed == nil; o, ok = waiting[next] {
			delete(waiting, next)
			next++
			if failed = o.err; failed == nil {
				failed = j.enter(o.batch, o.taken)
			}
			if failed == nil && opt.Progress != nil {
				opt.Progress(j.Next(), j.Counts())
			}
			free <- o.batch
		}
		if failed == nil && o.err != nil {
			continue // those before it are on their way, and may be entered yet
		}
		if failed != nil {
			cancel()
		}
	}
	return failed
}
