package api

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer returns the address of whoever sent the request, as IngestOptions.ClientIP has it; "" when
// it isn't known. A connection from a loopback or private address is taken for a proxy's, whose
// address is nobody's.
func (in *Ingest) peer(r *http.Request) string {
	switch name := in.opt.ClientIP; name {
	case "none":
		return ""
	case "", "peer":
		a, err := netip.ParseAddrPort(r.RemoteAddr)
		ip := a.Addr().Unmap()
		if err != nil || !ip.IsGlobalUnicast() || ip.IsPrivate() {
			return ""
		}
		return ip.WithZone("").String()
	default:
		return forwarded(r.Header.Values(name))
	}
}

// forwarded returns the last address of a header's values, which is the one that the nearest proxy
// wrote: what stands before it, the client may have written. Some proxies add the port.
func forwarded(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	ip, err := netip.ParseAddr(strings.Trim(last, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(last)
		if err != nil {
			return ""
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone("").String()
}
