// Package segment decodes what the Segment and RudderStack SDKs send: the paths of the Segment
// tracking API, single events and batches.
package segment

import (
	"errors"
	"strings"
	"sync"
	"unicode/utf8"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/scan"
)

// The protocol's limits.
const (
	MaxBodyBytes   = 4 << 20 // uncompressed; RudderStack's. Segment's is 500 KB, and its SDKs keep to it
	MaxEventBytes  = 32 << 10
	MaxEvents      = 2500
	MaxIDChars     = 100  // of a messageId
	MaxNameBytes   = 1024 // of a userId, anonymousId or previousId
	maxContext     = 500  // members of an object in a batch's own context
	maxMergedBytes = 8 << 20
)

// call is one of the six calls of the API; batch is several of them.
type call uint8

const (
	batch call = iota
	track
	identify
	page
	screen
	group
	alias
	calls
)

var callNames = [calls]string{"", "track", "identify", "page", "screen", "group", "alias"}

// Paths are the last segments of the API's paths: the calls, their first letters, and batches.
var paths = map[string]call{
	"batch": batch, "import": batch, "b": batch,
	"track": track, "identify": identify, "page": page, "screen": screen, "group": group, "alias": alias,
	"t": track, "i": identify, "p": page, "s": screen, "g": group, "a": alias,
}

// Serves says whether path, such as "/v1/batch", is one of the API's, and whether it takes a
// single event.
func Serves(path string) (single, ok bool) {
	c, ok := paths[strings.TrimPrefix(path, "/v1/")]
	return ok && c != batch, ok
}

// decoder is one decoding in progress.
type decoder struct {
	b     *ingest.Batch
	env   ingest.Env
	body  []byte
	utf8  bool // the whole body is valid UTF-8
	many  bool // the body is a batch
	kinds [calls]*ingest.Kind
	times []ingest.Times // of b.Events

	sentAt   int64 // as ingest.Times has it
	eventKey []byte
	common   scan.Doc // what the batch says for all its events: {"context":…,"integrations":…}
	share    bool     // common holds something
	peer     scan.Doc // {"context":{"ip":…}}, for events that are to have it; empty until needed
	merged   int      // bytes of events rewritten so far

	choices *ingest.Choices // what the last event with a consent object said, and
	chosen  [2][]byte       // by which text: most events of a batch say the same
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// Decode decodes the body of a request to path, which Serves. It returns an event for each that
// the body holds, some of them refused, or a fault of kind Invalid when the body as a whole can't
// be read: then nothing of it was kept. The batch holds views into body.
//
// A single event's type is told by its path, another's by its "type". Data are as sent but for
// the write key, which is a credential and is left out, and for what the batch says for all: its
// context and integrations are merged into events that lack the members. Other members of a batch
// are dropped. An event whose context has no ip gets env's Peer there, as Segment has it, when its
// source is the person's own device or its context says "direct":true. Without a messageId an event is not de-duplicated: none is made up.
func Decode(path string, body []byte, env ingest.Env) (*ingest.Batch, error) {
	c, ok := paths[strings.TrimPrefix(path, "/v1/")]
	if !ok {
		return nil, fault.New(fault.NotFound, "path.unknown", "there is no such path")
	}
	if len(body) > MaxBodyBytes {
		return nil, fault.New(fault.Invalid, "body.too_large", "a request holds at most %d bytes", MaxBodyBytes)
	}
	d := decoders.Get().(*decoder)
	*d = decoder{b: ingest.NewBatch(), env: env, body: body, utf8: utf8.Valid(body), times: d.times[:0], common: d.common, peer: d.peer}
	d.peer.Src = nil
	for c := track; c < calls; c++ {
		d.kinds[c] = env.Kinds.Kind(env.Service, callNames[c])
	}
	d.b.Words = known
	err := d.decode(c)
	b := d.b
	d.b, d.body, d.env, d.common.Src, d.peer.Src, d.eventKey, d.choices, d.chosen = nil, nil, ingest.Env{}, nil, nil, nil, nil, [2][]byte{}
	decoders.Put(d)
	if err != nil {
		b.Release()
		return nil, ingest.Unreadable(err)
	}
	return b, nil
}

func (d *decoder) decode(c call) error {
	if d.many = c == batch; d.many {
		return d.batch()
	}
	end, err := d.event(c, 0, 0)
	if err == nil && scan.Space(d.body, end) < len(d.body) {
		err = &scan.Error{Code: scan.Syntax, Offset: end}
	}
	d.b.WriteKey = d.eventKey
	d.settle()
	return err
}

// settle works out when each event occurred, now that the time of sending is known.
func (d *decoder) settle() {
	received := d.env.ReceivedAt.UnixMilli()
	for i := range d.b.Events {
		t := d.times[i]
		if d.sentAt > 0 || t.Sent == 0 {
			t.Sent = d.sentAt
		}
		e := &d.b.Events[i]
		e.OccurredAt, e.Skewed = t.Occurred(received)
	}
}

// errFound ends a search.
var errFound = errors.New("segment: found")

// WriteKey returns the write key that the body of a request names at its top, reading no further
// than that; nil when there is none. The error is a fault of kind Invalid.
func WriteKey(body []byte) (key []byte, err error) {
	_, err = scan.EachMember(body, 0, func(name []byte, at int) (int, error) {
		end, err := scan.Skip(body, at)
		if err == nil && string(name) == "writeKey" {
			key, err = keyOf(body[at:end]), errFound
		}
		return end, err
	})
	if err != nil && !errors.Is(err, errFound) {
		return nil, ingest.Unreadable(err)
	}
	return key, nil
}

// keyOf returns the content of a write key as sent. A key never needs an escape; one that has some
// is good for nothing. Null and "" are no key.
func keyOf(raw []byte) []byte {
	if string(raw) == "null" || string(raw) == `""` {
		return nil
	}
	if raw[0] == '"' {
		return raw[1 : len(raw)-1]
	}
	return raw
}
