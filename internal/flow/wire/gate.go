package wire

import (
	"context"
	"sync"

	"domicile.dev/internal/fault"
)

// Gate counts the attempts of a connector, so that its Close can end them and wait. The zero value
// is open.
type Gate struct {
	mu     sync.Mutex
	closed bool            // guarded by mu
	cuts   map[*int]func() // of the attempts inside; guarded by mu
	inside sync.WaitGroup
}

// Run makes one attempt, whose context also ends with Close.
//
// Fault: Unavailable "destination.closed" after Close, and when Close was what cut it.
func (g *Gate) Run(ctx context.Context, attempt func(ctx context.Context) error) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return errClosed()
	}
	once, cut := context.WithCancel(ctx)
	if g.cuts == nil {
		g.cuts = map[*int]func(){}
	}
	k := new(int)
	g.cuts[k] = cut
	g.inside.Add(1)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		delete(g.cuts, k)
		g.mu.Unlock()
		cut()
		g.inside.Done()
	}()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	err := attempt(once)
	if err != nil && once.Err() != nil && ctx.Err() == nil {
		return errClosed()
	}
	return err
}

func errClosed() error {
	return fault.New(fault.Unavailable, "destination.closed", "the connector is closed")
}

// Close cuts all attempts, returns when they have ended, and lets none in any more.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true
	for _, cut := range g.cuts {
		cut()
	}
	g.mu.Unlock()
	g.inside.Wait()
}
