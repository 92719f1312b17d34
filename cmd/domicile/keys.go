package main

import (
	"fmt"
	"strconv"
	"time"

	"domicile.dev/internal/client"
)

type keysCmd struct {
	Show        keysShowCmd        `cmd:"" help:"Show epochs and versions of the index key, without anything secret."`
	RotateIndex keysRotateIndexCmd `cmd:"" help:"Give the index key a new version, compute all identifiers anew under it, and destroy the old one; nothing stops meanwhile."`
}

type keysShowCmd struct{ node }

// Run shows the state of the region's keys.
func (c *keysShowCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	k, err := cl.Keys(e.ctx)
	if err != nil {
		return err
	}
	return e.printKeys(k)
}

// printKeys prints the keys that there are, and how far a rotation is.
func (e *env) printKeys(k client.Keys) error {
	if e.json {
		return e.printJSON(k)
	}
	rows := [][]string{{"KEY", "SINCE", "STATE"}}
	for i, x := range k.Epochs {
		state := "current"
		switch {
		case x.DestroyedAt != nil:
			continue // one a week, for ever
		case i < len(k.Epochs)-1:
			state = "its persons' keys are being wrapped anew"
		}
		rows = append(rows, []string{fmt.Sprintf("epoch %d", x.N), clock(x.CreatedAt), state})
	}
	for i, x := range k.Index {
		rows = append(rows, []string{fmt.Sprintf("index %d", x.N), clock(x.CreatedAt), indexState(k, i)})
	}
	return e.table(rows...)
}

func indexState(k client.Keys, i int) string {
	x, last := k.Index[i], i == len(k.Index)-1
	switch {
	case x.EndedAt != nil && x.Kept:
		return "retired, kept for client ids since " + clock(*x.EndedAt)
	case x.EndedAt != nil:
		return "destroyed " + clock(*x.EndedAt)
	case last && k.Rotating:
		return fmt.Sprintf("current, %d identifiers under it by rotation", x.Moved)
	case last:
		return "current"
	case x.RetiredAt != nil:
		return "retired, about to be destroyed"
	}
	return strconv.FormatInt(k.Left, 10) + " identifiers left under it"
}

type keysRotateIndexCmd struct {
	node
	NoWait bool `help:"Begin only; the region's nodes bring it to its end. domicile keys show says how far it is."`
}

// Times between two looks at a rotation.
const (
	firstLook = 200 * time.Millisecond
	longLook  = 5 * time.Second
)

// Run begins a rotation, or finds the one that is under way, and waits for its end.
func (c *keysRotateIndexCmd) Run(e *env) error {
	cl, err := c.operator()
	if err != nil {
		return err
	}
	k, err := cl.RotateIndex(e.ctx)
	if err != nil {
		return err
	}
	if k.Begun {
		e.say("the rotation has begun; it goes on without this command")
	} else {
		e.say("a rotation is under way already; it goes on without this command")
	}
	for wait := firstLook; k.Rotating && !c.NoWait; wait = min(2*wait, longLook) {
		e.say("%d identifiers left", k.Left)
		select {
		case <-e.ctx.Done():
			return e.ctx.Err()
		case <-time.After(wait):
		}
		begun := k.Begun
		if k, err = cl.Keys(e.ctx); err != nil {
			return err
		}
		k.Begun = begun
	}
	return e.printKeys(k)
}
