package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"domicile.dev/internal/decision"
	"domicile.dev/internal/law"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/register"
	"domicile.dev/internal/tenant"
)

// decisions answers from the node's programme, laws and policies, and the newest register. It is safe
// for concurrent use.
type decisions struct {
	p         *programme.Programme
	book      *law.Book
	policies  *decision.Policies
	facts     *register.Service
	tenants   *tenant.Service
	published *atomic.Pointer[published]
	closed    *decision.Engine // denies everything, since the register can't be read

	mu     sync.Mutex // guards what follows
	engine *decision.Engine
	of     *register.Register // as it was read, that engine is of
	with   *published         // the same of what is published
	pins   int64              // version of the tenants whose pins are in it
}

// unreadWait is how long a decision waits for a register that has to be read anew.
const unreadWait = 2 * time.Second

// openDecisions reads the laws and policies beside the programme; folder may be nil.
func openDecisions(p *programme.Programme, folder fs.FS, facts *register.Service, tenants *tenant.Service, public *atomic.Pointer[published]) (*decisions, error) {
	d := &decisions{p: p, book: law.Builtin(), facts: facts, tenants: tenants, published: public}
	if folder != nil {
		var err error
		if d.book, err = law.Load(folder); err != nil {
			return nil, fmt.Errorf("load the laws beside the programme: %w", err)
		}
		if d.policies, err = decision.LoadPolicies(folder); err != nil {
			return nil, err
		}
	}
	d.closed = decision.New(p, d.book, &register.Register{Unread: "see the node's log"}, d.policies)
	return d, nil
}

// Engine returns what decides now: by every fact that this node wrote and, at most a second later, every
// one that another did. While the register can't be read it is one that denies everything. It is cheap
// enough for every batch.
func (d *decisions) Engine() *decision.Engine {
	ctx, stop := context.WithTimeout(context.Background(), unreadWait)
	defer stop()
	now, err := d.facts.Current(ctx)
	public := d.published.Load()
	if err != nil || public == nil {
		return d.closed
	}
	pins := d.tenants.Version() // before they are read, so that a change between is seen next time
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine == nil || d.of != now.Register || d.with != public || d.pins != pins {
		d.engine = decision.New(d.p, d.book, d.pinned(now.Register.With(public.facts)), d.policies)
		d.of, d.with, d.pins = now.Register, public, pins
	}
	return d.engine
}

// pinned returns the register with the pins that tenants set in their settings: nothing clear of theirs
// leaves the region, to whatever country. It beats a pin that the register has.
func (d *decisions) pinned(r *register.Register) *register.Register {
	var who []string
	for _, t := range d.tenants.Tenants(tenant.Operator) {
		if t.Settings != nil && t.Settings.Pin {
			who = append(who, t.ID)
		}
	}
	if len(who) == 0 {
		return r
	}
	slices.Sort(who)
	with := *r
	with.Pins = slices.DeleteFunc(slices.Clone(r.Pins), func(p register.Pin) bool { return slices.Contains(who, p.Tenant) })
	for _, t := range who {
		with.Pins = append(with.Pins, register.Pin{Tenant: t, From: "1970-01-01"})
	}
	sum := sha256.Sum256([]byte(r.Version + "\npinned " + strings.Join(who, " ")))
	with.Version = "sha256:" + hex.EncodeToString(sum[:])
	return &with
}

// Without is Engine with mechanisms or rules of law struck, for one question. Faults: Invalid.
func (d *decisions) Without(without []string) (*decision.Engine, error) {
	if len(without) == 0 {
		return d.Engine(), nil
	}
	ctx, stop := context.WithTimeout(context.Background(), unreadWait)
	defer stop()
	now, err := d.facts.Current(ctx)
	public := d.published.Load()
	if err != nil || public == nil {
		return d.closed, nil
	}
	return decision.NewWithout(d.p, d.book, d.pinned(now.Register.With(public.facts)), d.policies, without)
}

// due returns what lapses within so many days of today, what has lapsed first.
func (d *decisions) due(ctx context.Context, within int) ([]register.Due, error) {
	now, err := d.facts.Current(ctx)
	if err != nil {
		return nil, err
	}
	return now.Register.At(programme.DayOf(time.Now())).Due(within, decision.MaxAge(d.book)), nil
}

// besideRegister returns the facts of the registers in a programme's folder; nil without one.
func besideRegister(folder fs.FS) (lines []register.Line, err error) {
	if folder == nil {
		return nil, nil
	}
	err = fs.WalkDir(folder, ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && name != "." && strings.HasPrefix(e.Name(), "."):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, register.Suffix):
			return nil
		}
		src, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		r, err := register.Parse(name, src)
		if err != nil {
			return err
		}
		lines = append(lines, r.Lines()...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the register beside the programme: %w", err)
	}
	return lines, nil
}

// Engine returns what decides about leaving now.
func (n *Node) Engine() *decision.Engine { return n.decisions.Engine() }

// Register returns the region's register.
func (n *Node) Register() *register.Service { return n.register }
