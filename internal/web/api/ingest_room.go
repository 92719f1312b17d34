package api

import (
	"sync"

	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// sender is who brings a body, as far as it is known before the body is read.
type sender struct {
	class class
	name  string // of a stranger: what tells it from others; "" when nothing does
}

type class uint8

const (
	known   class = iota // whose key is a server's
	public               // whose key is in a page that everybody may read
	keyless              // whose key is in the body, by the peer's address
	hooked               // who signs, by the source in the path
)

// classOf returns the class of who has the key of src.
func classOf(src *tenant.Source) class {
	if src.Trust == term.Public {
		return public
	}
	return known
}

func (s sender) stranger() bool { return s.class == keyless || s.class == hooked }

// most returns how many bytes all in flight may be for s to get more. Public keys leave a quarter
// to those whom nobody can pretend to be.
func (in *Ingest) most(s sender) int64 {
	if s.class == public {
		return in.opt.InFlightBytes / 4 * 3
	}
	return in.opt.InFlightBytes
}

// strangers are the bytes of bodies whose senders aren't known yet. A class of them has a quarter of
// all bytes in flight at most, and a name an eighth: who stalls keeps out nobody but who has the
// same name.
type strangers struct {
	mu   sync.Mutex
	held map[sender]int64 // guarded by mu; a whole class is under its name ""
}

// take takes n bytes for s, if there is room. all is the most bytes in flight of everybody.
func (x *strangers) take(s sender, n, all int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	whole := sender{class: s.class}
	if x.held[whole]+n > max(all/4, step) || s.name != "" && x.held[s]+n > max(all/8, step) {
		return false
	}
	if x.held == nil {
		x.held = map[sender]int64{}
	}
	x.held[whole] += n
	if s.name != "" {
		x.held[s] += n
	}
	return true
}

// less takes n from what s holds; x.mu is held. A name is forgotten with its last byte.
func (x *strangers) less(s sender, n int64) {
	if x.held[s] -= n; x.held[s] <= 0 {
		delete(x.held, s)
	}
}

// give gives n bytes of s back.
func (x *strangers) give(s sender, n int64) {
	if n == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if s.name != "" {
		x.less(s, n)
	}
	x.less(sender{class: s.class}, n)
}
