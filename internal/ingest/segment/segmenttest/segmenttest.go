// Package segmenttest makes Segment events for tests and for measuring: all made up, different
// from each other, of one size, and the same for the same seed.
package segmenttest

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// EventBytes is the size of every event.
const EventBytes = 592

var (
	names     = [...]string{"Product Viewed", "Product Added", "Checkout Started", "Order Completed", "Coupon Applied", "Cart Viewed"}
	campaigns = [...]string{"spring", "newsletter", "retarget", "launch"}
)

// Generator makes track events of some people. It is not safe for concurrent use: give each
// goroutine its own, with its own seed.
type Generator struct {
	rng    *rand.Rand
	seed   uint64
	people int
	n      uint64
	now    time.Time
}

// New returns a generator of events from so many people, who are the same for every seed. Each
// event's messageId is different from any other's of any seed.
func New(seed uint64, people int) *Generator {
	return &Generator{rng: rand.New(rand.NewPCG(seed, 0xd011c11e)), seed: seed, people: people,
		now: time.Date(2026, 11, 22, 6, 45, 0, 0, time.UTC)}
}

// UserID returns the user id of a person, from 0.
func UserID(person int) string { return fmt.Sprintf("user-%08d", person) }

// AppendEvent appends the next event, as analytics-node writes it. Events come from the people in turn.
func (g *Generator) AppendEvent(dst []byte) []byte {
	start, r := len(dst), g.rng
	person := int(g.n % uint64(g.people))
	g.n++
	g.now = g.now.Add(7 * time.Millisecond)
	ms := g.now.UnixMilli()
	dst = append(dst, `{"timestamp":"`...)
	dst = g.now.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	dst = append(dst, `","integrations":{},"event":"`...)
	dst = append(dst, names[r.IntN(len(names))]...)
	dst = append(dst, `","type":"track","properties":{"product_id":"`...)
	dst = fmt.Appendf(dst, `p-%06d","price":%d.%02d,"quantity":%d,"currency":"EUR","url":"https://shop.example.com/p/%06d"},`,
		r.IntN(1e6), r.IntN(400), r.IntN(100), 1+r.IntN(5), r.IntN(1e6))
	dst = fmt.Appendf(dst, `"context":{"ip":"192.0.2.%d","locale":"en-IE","userAgent":"Mozilla/5.0 (X11; Linux x86_64) Example/1.%d","campaign":{"name":"%s"},`,
		r.IntN(256), r.IntN(100), campaigns[r.IntN(len(campaigns))])
	dst = append(dst, `"library":{"name":"@segment/analytics-node","version":"3.1.0"}},"userId":"`...)
	dst = append(dst, UserID(person)...)
	a, b := uint32(g.seed), r.Uint64()
	dst = fmt.Appendf(dst, `","messageId":"node-next-%d-%08x-%04x-4%03x-%04x-%04x%08x","_metadata":{"nodeVersion":"v20.20.2","jsRuntime":"`,
		ms, a, b>>48, b>>36&0xfff, 0x8000|b>>16&0x3fff, b&0xffff, uint32(g.n))
	return pad(dst, EventBytes-(len(dst)-start)-len(`"}}`), `"}}`)
}

// pad appends n bytes that look like the name of a runtime and its build, and then end.
func pad(dst []byte, n int, end string) []byte {
	const runtime = "node; build example; channel stable; image base-2026-11; arch amd64; zone a"
	return append(append(dst, runtime[:n]...), end...)
}

// AppendBatch appends the body of a POST to /v1/batch with the next n events, as analytics-node
// sends it. An empty write key is left out.
func (g *Generator) AppendBatch(dst []byte, n int, writeKey string) []byte {
	dst = append(dst, `{"batch":[`...)
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = g.AppendEvent(dst)
	}
	dst = append(dst, ']')
	if writeKey != "" {
		dst = append(dst, `,"writeKey":`...)
		dst = strconv.AppendQuote(dst, writeKey)
	}
	dst = append(dst, `,"sentAt":"`...)
	dst = g.now.Add(time.Second).AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	return append(dst, `"}`...)
}
