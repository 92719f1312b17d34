package api

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/web/guard"
)

// step is by how much a body's share of the bytes in flight grows. The share follows what has
// arrived, not what was announced, so that announcing costs others nothing.
const step = 16 << 10

// keepBuffer is the largest buffer that is kept for the next request.
const keepBuffer = 1 << 20

// body is what one request holds in memory.
type body struct {
	bytes []byte // the body, unpacked

	in    *Ingest
	limit int
	from  sender
	share int64 // bytes in flight that are this request's
	held  []*[]byte
}

var (
	bodies = sync.Pool{New: func() any { b := make([]byte, 0, 64<<10); return &b }}
	unzips = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

// body returns the body of a request of at most limit bytes, before it is read.
func (in *Ingest) body(limit int, from sender) body { return body{in: in, limit: limit, from: from} }

// know says whom the body turned out to be from: what it holds is no stranger's.
func (b *body) know(as sender) {
	b.in.shares.move(b.share, b.from, as)
	b.from = as
}

// read reads the body and unpacks it when it is gzip, whatever the headers say of it: SDKs send
// JSON under any type, and gzip under most. No JSON begins with gzip's first bytes.
//
// Faults: TooLarge; RateLimited when too much is in flight; Invalid for what can't be unpacked;
// Unavailable when the rest did not come, so that an SDK sends it again.
func (b *body) read(w http.ResponseWriter, r *http.Request) error {
	if err := b.receive(w, r); err != nil {
		return err
	}
	return b.unpack(r)
}

// receive reads the body as it came, which is what signatures are over. A stranger has less time
// for it than the listener gives.
func (b *body) receive(w http.ResponseWriter, r *http.Request) error {
	if b.from.stranger() {
		defer guard.Hurry(w, b.in.opt.Patience)()
	}
	if r.ContentLength > int64(b.limit) {
		b.in.drain(w, r, b.limit)
		return b.tooLarge()
	}
	raw, err := b.fill(r.Body)
	if err != nil {
		if _, ok := fault.As(err); !ok {
			w.Header().Set("Connection", "close")
			return (&fault.Error{Kind: fault.Unavailable, Reason: "body.cut_short", Public: "the body did not arrive as a whole",
				Hint: "send the same request again", RetryAfterSeconds: 1}).Because(err)
		}
		b.in.drain(w, r, b.limit)
		return err
	}
	b.bytes = raw
	return nil
}

// unpack unpacks what was received, when it is packed.
func (b *body) unpack(r *http.Request) (err error) {
	raw := b.bytes
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		return encodingKnown(r)
	}
	zip := unzips.Get().(*gzip.Reader)
	defer unzips.Put(zip)
	if err = zip.Reset(bytes.NewReader(raw)); err == nil {
		b.bytes, err = b.fill(zip)
	}
	if _, ok := fault.As(err); err != nil && !ok {
		return fault.New(fault.Invalid, "body.bad_gzip", "the body begins like gzip and can't be unpacked").Because(err)
	}
	return err
}

// encodingKnown refuses a body that is packed in another way than gzip.
func encodingKnown(r *http.Request) error {
	for _, e := range r.Header["Content-Encoding"] {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" && e != "identity" && e != "gzip" && e != "x-gzip" {
			return fault.New(fault.Invalid, "body.bad_encoding", "a body is plain or gzip")
		}
	}
	return nil
}

// fill reads all of from into a reused buffer.
func (b *body) fill(from io.Reader) ([]byte, error) {
	buf := bodies.Get().(*[]byte)
	b.held = append(b.held, buf)
	*buf = (*buf)[:0]
	charged := 0
	for {
		if len(*buf) >= charged {
			if err := b.charge(step); err != nil {
				return nil, err
			}
			charged += step
		}
		if len(*buf) == cap(*buf) {
			grown := make([]byte, len(*buf), 2*cap(*buf))
			copy(grown, *buf)
			*buf = grown
		}
		n, err := from.Read((*buf)[len(*buf):min(cap(*buf), charged)])
		*buf = (*buf)[:len(*buf)+n]
		if len(*buf) > b.limit {
			return nil, b.tooLarge()
		}
		if err == io.EOF { //nolint:errorlint // readers return it bare
			return *buf, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// charge takes n more of the bytes in flight.
func (b *body) charge(n int64) error {
	if b.in.inFlight.Add(n) > b.in.opt.InFlightBytes || !b.in.shares.take(b.from, n, b.in.opt.InFlightBytes) {
		b.in.inFlight.Add(-n)
		b.in.shed()
		return &fault.Error{Kind: fault.RateLimited, Reason: "ingest.busy", Public: "this node holds as much as it can",
			Hint: "send the same request again after the time in Retry-After", RetryAfterSeconds: 1}
	}
	b.share += n
	return nil
}

// shed tells the log that clients are sent away, at most every ten seconds.
func (in *Ingest) shed() {
	now := in.opt.Now().Unix()
	if last := in.shedAt.Load(); now-last >= 10 && in.shedAt.CompareAndSwap(last, now) {
		in.opt.Log.Warn("clients are told to come back: too many bytes in flight", "limit", in.opt.InFlightBytes)
	}
}

// release gives everything back. The body's bytes are no longer good.
func (b *body) release() {
	b.in.shares.move(b.share, b.from, sender{class: known})
	b.in.inFlight.Add(-b.share)
	for _, buf := range b.held {
		if cap(*buf) <= keepBuffer {
			bodies.Put(buf)
		}
	}
	b.held, b.bytes, b.share = nil, nil, 0
}

func (b *body) tooLarge() error {
	return fault.New(fault.TooLarge, "body.too_large", "a request holds at most %d bytes", b.limit)
}

// drain reads what is left of a body that nobody looks at, up to limit, so that the client hears
// the answer and may go on using the connection. A client that asked whether to send is told no.
func (in *Ingest) drain(w http.ResponseWriter, r *http.Request, limit int) {
	if len(r.Header["Expect"]) > 0 {
		return
	}
	if n, err := io.CopyN(io.Discard, r.Body, int64(limit)); err != io.EOF && (err != nil || n == int64(limit)) { //nolint:errorlint // CopyN returns it bare
		w.Header().Set("Connection", "close")
	}
}
