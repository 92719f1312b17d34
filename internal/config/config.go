// Package config is what one node is told about itself: a YAML file for `domicile serve`, built in
// memory by `domicile up`. A bad file is refused whole, with every fault's place and what to do.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"domicile.dev/internal/fault"
)

// Node is one node of one region.
type Node struct {
	// Region is the region's id in the programme, such as "ie1".
	Region string `yaml:"region"`
	// Listen is host:port. Without TLS only a loopback address is allowed.
	Listen string `yaml:"listen"`
	// URL is where clients reach the region, "https://ie1.example.com". Default: made of Listen.
	URL string `yaml:"url"`
	// Data is the folder for the embedded store, the keyring and the operator's token.
	Data string `yaml:"data"`
	// Store is "postgres://…"; empty is the embedded store in Data.
	Store string `yaml:"store"`
	// Keyring is "file:DIR"; empty is the folder keyring in Data. All nodes of a region share one.
	Keyring string `yaml:"keyring"`
	// Programme is the folder of the programme; empty is the embedded example.
	Programme string `yaml:"programme"`
	// TLS holds the certificate; files are read again when they change.
	TLS *TLS `yaml:"tls"`
	// Peers are the other regions, by id.
	Peers map[string]Peer `yaml:"peers"`
	// ClientIP is "peer", "none", or the header in which a proxy writes a browser's address. Default "peer".
	ClientIP string `yaml:"client_ip"`
	// TrustedProxies are the addresses or CIDRs of the proxies from which that header is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// EpochLength is how long person keys stay wrapped by one epoch key. Default 7 days.
	EpochLength time.Duration `yaml:"epoch_length"`
	// OTLP is the endpoint that gets traces, "http://host:4318"; empty sends none.
	OTLP string `yaml:"otlp"`
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string `yaml:"log_level"`
	// SharedServer allows a PostgreSQL server that other regions use, too. Only `up` sets it.
	SharedServer bool `yaml:"-"`
}

// TLS names the files of a certificate and its key, PEM.
type TLS struct {
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// Peer is another region: where clients find it, and the verifier keys under which its ledger is
// mirrored and cosigned (served at /ledger/key and /ledger/witness-key). Without keys it is only
// where misdirected clients are pointed.
type Peer struct {
	URL        string `yaml:"url"`
	LedgerKey  string `yaml:"ledger_key"`
	WitnessKey string `yaml:"witness_key"`
}

var (
	regionID   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,15}$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

// Load reads and checks the file at path. Relative paths in it are relative to its folder.
//
// Errors: faults of kind Invalid, each with the file and what to do.
func Load(path string) (*Node, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Invalid, "config.unreadable", "can't read the configuration file").
			WithHint("give a file that this process may read: domicile serve --config FILE").Because(err)
	}
	var n Node
	d := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict())
	if err := d.Decode(&n); err != nil {
		return nil, fault.New(fault.Invalid, "config.invalid", "%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, true))).
			WithHint("docs/configuration.md lists every key")
	}
	base := filepath.Dir(path)
	for _, p := range []*string{&n.Data, &n.Programme} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	if n.TLS != nil {
		for _, p := range []*string{&n.TLS.Cert, &n.TLS.Key} {
			if *p != "" && !filepath.IsAbs(*p) {
				*p = filepath.Join(base, *p)
			}
		}
	}
	if dir, ok := strings.CutPrefix(n.Keyring, "file:"); ok && dir != "" && !filepath.IsAbs(dir) {
		n.Keyring = "file:" + filepath.Join(base, dir)
	}
	if err := n.Check(); err != nil {
		if f, ok := fault.As(err); ok {
			f.Public = path + ": " + f.Public
		}
		return nil, err
	}
	return &n, nil
}

// Check fills in defaults and says everything that is wrong, one fault a line.
func (n *Node) Check() error {
	var wrong []string
	bad := func(key, why string, args ...any) { wrong = append(wrong, key+": "+fmt.Sprintf(why, args...)) }
	if !regionID.MatchString(n.Region) {
		bad("region", "give the region's id, such as ie1")
	}
	if n.Data == "" {
		bad("data", "give the folder for this node's keys and store")
	}
	host, port, err := net.SplitHostPort(n.Listen)
	if err != nil || port == "" {
		bad("listen", "give host:port, such as 0.0.0.0:8443")
	} else if n.TLS == nil && !loopback(host) {
		bad("listen", "%s can be reached from elsewhere, and plain HTTP is for loopback only: give tls, or listen on 127.0.0.1", n.Listen)
	}
	if n.TLS != nil && (n.TLS.Cert == "" || n.TLS.Key == "") {
		bad("tls", "give both cert and key")
	}
	if n.URL == "" && err == nil {
		scheme := "http"
		if n.TLS != nil {
			scheme = "https"
		}
		n.URL = scheme + "://" + n.Listen
	}
	if u, err := url.Parse(n.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		bad("url", "give an http or https address")
	}
	n.URL = strings.TrimRight(n.URL, "/")
	if n.Store != "" && !strings.HasPrefix(n.Store, "postgres://") && !strings.HasPrefix(n.Store, "postgresql://") {
		bad("store", "give postgres://…, or leave it out for the embedded store")
	}
	if n.Keyring == "" && n.Data != "" {
		n.Keyring = "file:" + filepath.Join(n.Data, "keyring")
	}
	for region, p := range n.Peers {
		if u, err := url.Parse(p.URL); err != nil || u.Host == "" {
			bad("peers."+region+".url", "give the region's address")
		}
		if region == n.Region {
			bad("peers."+region, "this is the node's own region")
		}
		if (p.LedgerKey == "") != (p.WitnessKey == "") {
			bad("peers."+region, "give both ledger_key and witness_key, or neither")
		}
	}
	if n.EpochLength < 0 || n.EpochLength > 0 && n.EpochLength < time.Minute {
		bad("epoch_length", "give a minute at least, such as 168h")
	}
	if n.ClientIP != "" && !headerName.MatchString(n.ClientIP) {
		bad("client_ip", "give peer, none, or the name of the header that the proxy sets")
	}
	for i, s := range n.TrustedProxies {
		if p, err := prefix(s); err != nil {
			bad(fmt.Sprintf("trusted_proxies.%d", i), "give an address or a CIDR, such as 10.1.0.0/16")
		} else if p.Bits() == 0 {
			bad(fmt.Sprintf("trusted_proxies.%d", i), "%s trusts everybody: give the addresses of your proxies", s)
		}
	}
	if named := n.ClientIP != "" && n.ClientIP != "peer" && n.ClientIP != "none"; named && len(n.TrustedProxies) == 0 {
		bad("trusted_proxies", "give the addresses of the proxies that write %s: from anybody else it is not believed", n.ClientIP)
	} else if !named && len(n.TrustedProxies) > 0 {
		bad("client_ip", "name the header that the trusted proxies write, such as X-Forwarded-For")
	}
	switch n.LogLevel {
	case "", "debug", "info", "warn", "error":
	default:
		bad("log_level", "give debug, info, warn or error")
	}
	if len(wrong) > 0 {
		return fault.New(fault.Invalid, "config.invalid", "%s", strings.Join(wrong, "\n")).
			WithHint("docs/configuration.md lists every key").Because(errors.New("bad configuration"))
	}
	return nil
}

// Proxies returns TrustedProxies, which Check found good.
func (n *Node) Proxies() (all []netip.Prefix) {
	for _, s := range n.TrustedProxies {
		if p, err := prefix(s); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// prefix reads a CIDR, or an address alone.
func prefix(s string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().Prefix(ip.Unmap().BitLen())
	}
	return netip.ParsePrefix(s)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
