package consent

import (
	"domicile.dev/internal/id"
	"domicile.dev/internal/residency"
	"domicile.dev/internal/store"
)

// Key names a subject of a tenant.
type Key struct {
	Tenant  uint32
	Subject id.Subject
}

// State is what a subject's row says that decides before any word does.
type State struct {
	Restricted bool // GDPR art. 18
	Hidden     bool // on its way from another region: not at home here yet
	Spoken     bool // something was said; without it there are no words to look for
	Head       id.Subject
	Origins    residency.Origins // of StatesAndStandings only
}

// Store keeps words. Reads of many subjects are one call, so that a store across a network can
// pipeline them.
type Store interface {
	// States calls each for every given subject that exists, once; i is its place in keys.
	States(tx store.Tx, keys []Key, each func(i int, s State)) error
	// StatesAndStandings is States and Standings in one: each is called for every given subject that
	// exists, once for each thing that stands for it, with its times and its text's version, or with nil when nothing does. The
	// calls come in the order of keys.
	StatesAndStandings(tx store.Tx, keys []Key, each func(i int, s State, st *Standing)) error
	// Standings calls each for everything that stands for the given subjects; i is their place in keys.
	Standings(tx store.Tx, keys []Key, each func(i int, s Standing)) error
	// PutStandings writes standings, in place of those of the same subject, thing and channel.
	PutStandings(tx store.Tx, tenant uint32, all []Change) error
	// Keep adds words to subjects' histories, the n-th to that of subjects[n].
	Keep(tx store.Tx, tenant uint32, subjects []id.Subject, words []Word) error
	// MarkSpoken notes that something was said for the given subjects.
	MarkSpoken(tx store.Tx, keys []Key) error
	// Spoke calls each for the heads after a subject that said something and are at home here, by id, limit at most.
	Spoke(tx store.Tx, tenant uint32, after id.Subject, limit int, each func(head id.Subject)) error
	// Words calls each for what the given subjects said, the newest by receipt first, limit at most for each.
	Words(tx store.Tx, keys []Key, limit int, each func(i int, w Word)) error
}
