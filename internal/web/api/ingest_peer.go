package api

import (
	"net/http"
	"net/netip"
	"strings"
)

// peer returns the address of whoever sent the request, as IngestOptions.ClientIP has it; "" when
// it isn't known. A connection from a loopback or private address is taken for a proxy's, whose
// address is nobody's. A header is believed from a trusted proxy only: whoever else reaches this
// node can write what they like into it, and is the client.
func (in *Ingest) peer(r *http.Request) string {
	if in.opt.ClientIP == "none" {
		return ""
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	ip := from.Addr().Unmap().WithZone("")
	if name := in.opt.ClientIP; name != "" && name != "peer" && in.trusts(ip) {
		return in.forwarded(r.Header.Values(name))
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return ""
	}
	return ip.String()
}

// Peer is peer, for whoever else has to tell clients apart.
func (in *Ingest) Peer(r *http.Request) string { return in.peer(r) }

func (in *Ingest) trusts(ip netip.Addr) bool {
	for _, p := range in.opt.TrustedProxies {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// forwarded returns the last address of a header's values that is no trusted proxy's: what follows
// it, proxies wrote that are believed; what stands before it, anybody may have written. It returns
// "" when there is none, or when something that is no address comes first.
func (in *Ingest) forwarded(values []string) string {
	for i := len(values) - 1; i >= 0; i-- {
		rest, last := values[i], ""
		for more := true; more; {
			comma := strings.LastIndexByte(rest, ',')
			last, more = rest[comma+1:], comma >= 0
			rest = rest[:max(comma, 0)]
			ip, ok := address(strings.TrimSpace(last))
			if !ok {
				return ""
			}
			if !in.trusts(ip) {
				return ip.String()
			}
		}
	}
	return ""
}

// address reads an address as proxies write it: some add the port.
func address(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		withPort, err := netip.ParseAddrPort(s)
		if err != nil {
			return ip, false
		}
		ip = withPort.Addr()
	}
	return ip.Unmap().WithZone(""), true
}
