package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"

	"domicile.dev/internal/fault"
)

// say words what the transport says without the address and without what the recipient sent, which
// both stand in its own errors.
func say(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if f, ok := fault.As(err); ok {
		return f
	}
	var (
		verify   *tls.CertificateVerificationError
		unknown  x509.UnknownAuthorityError
		alert    tls.AlertError
		record   tls.RecordHeaderError
		lookup   *net.DNSError
		op       *net.OpError
		timeout  interface{ Timeout() bool }
		handling = func(reason, public, hint string) error {
			return fault.New(fault.Unavailable, reason, public).WithHint(hint)
		}
	)
	switch {
	case errors.Is(err, errNotLoopback):
		return handling("destination.not_here", "plain HTTP is for this machine alone, and the name is another's", "give an address of https")
	case errors.As(err, &verify), errors.As(err, &unknown):
		return held("destination.certificate", "the recipient's certificate can't be verified", "check its names and dates, and the destination's ca where it is signed by an own authority", mendPause)
	case errors.As(err, &alert), errors.As(err, &record), tlsTrouble(err):
		return held("destination.tls", "the recipient doesn't speak TLS as the flow asks for it", "it must speak the flow's minimum_tls or newer", mendPause)
	case errors.As(err, &lookup):
		return handling("destination.unreachable", "the recipient's name can't be looked up", "check the destination's url, and this machine's name servers")
	case errors.As(err, &op) && op.Op == "dial":
		return handling("destination.unreachable", "the recipient can't be reached", "check the destination's url, and that this machine may connect to it")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fault.New(fault.Unavailable, "destination.timeout", "the recipient takes too long")
	}
	return fault.New(fault.Unavailable, "destination.cut_off", "the connection ended before the recipient had answered")
}

// tlsTrouble knows the errors of crypto/tls that have no type, by how they begin.
func tlsTrouble(err error) bool {
	for ; err != nil; err = errors.Unwrap(err) {
		if s := err.Error(); len(s) > 5 && s[:5] == "tls: " {
			return true
		}
		if op := new(net.OpError); errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") {
			return true
		}
	}
	return false
}

func badRequest() error {
	return fault.New(fault.Invalid, "destination.bad_request", "the request can't be made: a header or the address is malformed")
}
