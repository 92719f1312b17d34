package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// conn is a connection that throws away what it hasn't sent yet when it is closed in the middle of
// an exchange. A plain close would leave that to the kernel, which goes on sending after Close has
// returned.
type conn struct {
	*net.TCPConn
	owner atomic.Pointer[attempt] // whose exchange is going on; nil between two
}

func (c *conn) Close() error {
	if c.owner.Load() != nil {
		_ = c.SetLinger(0)
	}
	return c.TCPConn.Close()
}

// under returns the conn below what net/http calls the connection.
func under(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

var errNotLoopback = errors.New("wire: plain HTTP to an address that is not this machine")

// dialer returns what opens connections. One for clear text reaches this machine alone, whatever
// its name was looked up to.
func dialer(clear bool, patience time.Duration) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{Timeout: patience}
	if clear {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().Unmap().IsLoopback() {
				return errNotLoopback
			}
			return nil
		}
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		tcp, ok := c.(*net.TCPConn)
		if !ok {
			_ = c.Close()
			return nil, errors.New("wire: no TCP")
		}
		return &conn{TCPConn: tcp}, nil
	}
}
