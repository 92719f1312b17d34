package api

import (
	"sync"

	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
)

// sender is who brings a body, as far as it is known before the body is read.
type sender struct {
	class class
	name  string // what tells it from others of its class; "" when nothing does
}

type class uint8

const (
	known   class = iota // whose key is a server's
	public               // whose key is in a page that everybody may read: by source
	keyless              // whose key is in the body: by the peer's address
	hooked               // who signs: by the source in the path
)

// portions are how much of all bytes in flight a class may have, and one name of it, in sixteenths.
// Who stalls keeps out nobody but who has the same name, unless it has many. Server keys,
// which nobody can come by, have no limit but the whole.
var portions = map[class]struct{ class, name int64 }{public: {12, 6}, keyless: {4, 2}, hooked: {4, 2}}

// of returns so many sixteenths of all bytes in flight, and at least what is taken at once.
func of(all, sixteenths int64) int64 { return max(all/16*sixteenths, step) }

// senderOf returns who has the key of src.
func senderOf(src *tenant.Source) sender {
	if src.Trust == term.Public {
		return sender{class: public, name: src.ID}
	}
	return sender{class: known}
}

// stranger says whether nobody knows yet who it is.
func (s sender) stranger() bool { return s.class == keyless || s.class == hooked }

// shares are the bytes in flight of those whose portion is limited.
type shares struct {
	mu   sync.Mutex
	held map[sender]int64 // guarded by mu; a whole class is under its name ""
}

// take takes n bytes for s, if there is room. all is the most bytes in flight of everybody.
func (x *shares) take(s sender, n, all int64) bool {
	if s.class == known {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	most := portions[s.class]
	if x.held[sender{class: s.class}]+n > of(all, most.class) || s.name != "" && x.held[s]+n > of(all, most.name) {
		return false
	}
	x.add(s, n)
	return true
}

// move gives n bytes that were from's to another, whether it has room for them or not.
func (x *shares) move(n int64, from, to sender) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.add(from, -n)
	x.add(to, n)
}

// add adds n, which may be negative, to what s and its class hold; x.mu is held. What holds nothing
// is forgotten.
func (x *shares) add(s sender, n int64) {
	if s.class == known || n == 0 {
		return
	}
	if x.held == nil {
		x.held = map[sender]int64{}
	}
	for _, k := range [...]sender{{class: s.class}, s} {
		if x.held[k] += n; x.held[k] <= 0 {
			delete(x.held, k)
		}
		if s.name == "" {
			return
		}
	}
}
