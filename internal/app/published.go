package app

import (
	"context"
	"time"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/register"
)

// published is what the region has published, as decisions and drift have to know it.
type published struct {
	facts     *register.Register   // who was announced until when, who objected, and which consents have to be asked for again
	asks      *register.Register   // the last of these
	programme *programme.Programme // whose notice is in effect
	stamp     string               // publish.Service.Stamp, as of which that is
}

// lookPublished reads it anew. When it can't, nothing is known to be published, and everything is denied.
func (n *Node) lookPublished(ctx context.Context) error {
	n.looking.Lock()
	defer n.looking.Unlock()
	p, err := n.readPublished(ctx)
	if err != nil {
		n.published.Store(nil)
		return err
	}
	if old := n.published.Load(); old != nil && old.facts.Version == p.facts.Version && old.programme == p.programme && old.stamp == p.stamp {
		return nil // so that the engine isn't made anew
	}
	n.published.Store(p)
	n.consents.again()
	return nil
}

func (n *Node) readPublished(ctx context.Context) (*published, error) {
	facts, err := n.Publish.Register(ctx)
	if err != nil {
		return nil, err
	}
	stamp, err := n.Publish.Stamp(ctx)
	if err != nil {
		return nil, err
	}
	old := n.published.Load()
	if old != nil && old.stamp == stamp {
		return &published{facts.With(old.asks), old.asks, old.programme, stamp}, nil
	}
	all, err := n.Publish.Versions(ctx)
	if err != nil {
		return nil, err
	}
	asks := publish.Askings(all)
	p := &published{facts: facts.With(asks), asks: asks, programme: n.rules.p, stamp: stamp}
	v := publish.InEffect(all, programme.DayOf(n.Publish.Now()))
	if v == nil || v.Programme == n.rules.p.Hash {
		return p, nil
	}
	if old != nil && old.programme.Hash == v.Programme {
		p.programme = old.programme
		return p, nil
	}
	p.programme, err = n.Publish.ProgrammeOf(ctx, v)
	return p, err
}

// watchPublished looks for what other nodes published, and for objections made there, until ctx ends.
func (n *Node) watchPublished(ctx context.Context) {
	tick := time.NewTicker(refreshPause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		look, stop := context.WithTimeout(ctx, 5*time.Second)
		if err := n.lookPublished(look); err != nil && ctx.Err() == nil {
			n.log.Error("what is published can't be read: everything is denied until it can", "error", err)
		}
		stop()
	}
}

// changedPublished is called when this node published something, or somebody objected.
func (n *Node) changedPublished() {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if err := n.lookPublished(ctx); err != nil {
		n.log.Error("what is published can't be read: everything is denied until it can", "error", err)
	}
	n.pages.touch()
}

// askings are the consents that have to be asked for again, nil while what is published can't be read.
func (n *Node) askings() *register.Askings {
	if p := n.published.Load(); p != nil {
		return &p.asks.Askings
	}
	return nil
}

// Published is the programme whose notice is in effect, nil while that can't be told.
func (n *Node) Published() *programme.Programme {
	if p := n.published.Load(); p != nil {
		return p.programme
	}
	return nil
}
