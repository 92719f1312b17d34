package wire

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"domicile.dev/internal/fault"
)

// attempt is one exchange, and the connection that it has for itself.
type attempt struct {
	conn   atomic.Pointer[conn]
	unhook func() bool
}

func (a *attempt) take(c *conn) {
	if c != nil {
		c.owner.Store(a)
		a.conn.Store(c)
	}
}

// cut closes the connection at once, whatever it hasn't sent yet.
func (a *attempt) cut() {
	if c := a.conn.Load(); c != nil && c.owner.Load() == a {
		_ = c.Close()
	}
}

// end leaves the connection to others when the exchange was whole, and cuts it otherwise.
func (a *attempt) end(whole bool) {
	if a.unhook != nil {
		a.unhook()
	}
	if !whole {
		a.cut()
	} else if c := a.conn.Load(); c != nil {
		c.owner.CompareAndSwap(a, nil)
	}
}

// do sends req and returns when the head of an answer is there. The attempt, which is never nil, must
// be ended.
func (c *Client) do(req *http.Request, minimumTLS string) (*http.Response, *attempt, error) {
	a := &attempt{}
	if minimumTLS == "" {
		minimumTLS = "1.2"
	}
	t := c.tls[minimumTLS]
	if t == nil {
		return nil, a, fault.New(fault.Invalid, "destination.bad_tls", "the delivery asks for a version of TLS that there isn't")
	}
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { a.take(under(i.Conn)) }})
	a.unhook = context.AfterFunc(ctx, a.cut)
	// The transport, and no http.Client: that one would follow redirects.
	res, err := t.RoundTrip(req.WithContext(ctx))
	return res, a, err
}

// counted makes req count what is read of its body. sent says whether that was all.
func counted(req *http.Request) (sent func() bool) {
	if req.Body == nil || req.Body == http.NoBody {
		return func() bool { return true }
	}
	var now atomic.Pointer[reader]
	wrap := func(b io.ReadCloser) io.ReadCloser {
		r := &reader{ReadCloser: b}
		now.Store(r)
		return r
	}
	req.Body = wrap(req.Body)
	if again := req.GetBody; again != nil { // for a connection that had ended before it was used
		req.GetBody = func() (io.ReadCloser, error) {
			b, err := again()
			if err != nil {
				return nil, err
			}
			return wrap(b), nil
		}
	}
	return func() bool { return now.Load().n.Load() >= req.ContentLength }
}

// reader counts what was read.
type reader struct {
	io.ReadCloser
	n atomic.Int64
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.n.Add(int64(n))
	return n, err
}
