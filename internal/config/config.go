// Package config is what one node is told about itself: a YAML file for `domicile serve`, built in
// memory by `domicile up`. A bad file is refused whole, with every fault's place and what to do.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

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
	// Notices are folders of programmes whose notices the privacy centre keeps as earlier versions.
	Notices []string `yaml:"notices"`
	// Blobs says where recordings and attachments lie, and how large they may be.
	Blobs Blobs `yaml:"blobs"`
	// Fetch says for which sources the recordings and attachments that lie at the vendor are got.
	Fetch Fetch `yaml:"fetch"`
	// Destinations are where recipients take their deliveries, by the recipient's id in the programme.
	Destinations map[string]Destination `yaml:"destinations"`
	// Mail is where mail is sent through. Without it messages wait.
	Mail *Mail `yaml:"mail"`
	// PrivateWebhooks lets tenants' webhooks be at addresses that are not public, and speak http. Readers' never are.
	PrivateWebhooks bool `yaml:"private_webhooks"`
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
	// CorrectAfter is how long what events change of a person is gathered before recipients are told. Default 1 h.
	CorrectAfter time.Duration `yaml:"correct_after"`
	// OTLP is the endpoint that gets traces, "http://host:4318"; empty sends none.
	OTLP string `yaml:"otlp"`
	// LogLevel is debug, info, warn or error. Default info.
	LogLevel string `yaml:"log_level"`
	// SharedServer allows a PostgreSQL server that other regions use, too. Only `up` sets it.
	SharedServer bool `yaml:"-"`
}

// Blobs is where recordings and attachments lie. The zero value is the folder blobs in Data.
type Blobs struct {
	// Store is "file:DIR" or "s3://bucket?…". All nodes of a region share one.
	Store string `yaml:"store"`
	// MaxMegabytes is the most that one may have, in MB of 1,048,576 bytes. Default 1024.
	MaxMegabytes int64 `yaml:"max_megabytes"`
	// Uploads is how many come in at a time. Default 16.
	Uploads int `yaml:"uploads"`
}

// mostMegabytes is what an upload in parts to a bucket can hold.
const mostMegabytes = 48 << 10

// check fills in nothing: what is empty has a default where it is used.
func (b *Blobs) check(bad func(key, why string, args ...any)) {
	dir, file := strings.CutPrefix(b.Store, "file:")
	u, err := url.Parse(b.Store)
	if b.Store != "" && (file && dir == "" || !file && (err != nil || u.Scheme != "s3" || u.Host == "")) {
		bad("blobs.store", "give file:DIR or s3://bucket?region=…, or leave it out for the folder blobs in data")
	}
	if b.MaxMegabytes < 0 || b.MaxMegabytes > mostMegabytes {
		bad("blobs.max_megabytes", "give a number from 1 to %d", mostMegabytes)
	}
	if b.Uploads < 0 || b.Uploads > 1000 {
		bad("blobs.uploads", "give a number from 1 to 1000")
	}
}

// Fetch is off unless it names sources.
type Fetch struct {
	// Sources are Twilio sources by id, "src_<region>_…".
	Sources []string `yaml:"sources"`
	// Hosts get the source's credentials. Default api.twilio.com.
	Hosts []string `yaml:"hosts"`
	// Transcripts is the address of the vendor's API for transcripts, whose host gets credentials, too.
	// Default https://intelligence.twilio.com.
	Transcripts string `yaml:"transcripts"`
	// CDN are hosts that those may send on to, without credentials. Default Twilio's.
	CDN []string `yaml:"cdn"`
	// Private allows http and addresses that are not public.
	Private bool `yaml:"private"`
}

var hostName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?(?::[0-9]{1,5})?$`)

// check fills in the vendor's hosts.
func (f *Fetch) check(region string, bad func(key, why string, args ...any)) {
	for _, s := range f.Sources {
		if !strings.HasPrefix(s, "src_"+region+"_") {
			bad("fetch.sources", "give ids of sources of this region, src_%s_…: domicile source list", region)
			break
		}
	}
	if len(f.Hosts) == 0 {
		f.Hosts = []string{"api.twilio.com"}
	}
	if f.Transcripts == "" {
		f.Transcripts = "https://intelligence.twilio.com"
	}
	if u, err := url.Parse(f.Transcripts); err != nil || u.Scheme != "https" && (u.Scheme != "http" || !f.Private) || !hostName.MatchString(u.Host) ||
		u.Path != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		bad("fetch.transcripts", "give the address of the vendor's API without a path, such as https://intelligence.twilio.com")
	}
	if f.CDN == nil {
		f.CDN = []string{".twiliocdn.com", "s3-external-1.amazonaws.com/media.twiliocdn.com/"}
	}
	for _, h := range f.Hosts {
		if !hostName.MatchString(h) {
			bad("fetch.hosts", "give names of hosts in lower case, such as api.twilio.com, without https:// and path")
			break
		}
	}
	for _, h := range f.CDN {
		if at, _, _ := strings.Cut(strings.TrimPrefix(h, "."), "/"); !hostName.MatchString(at) || !strings.Contains(at, ".") && !f.Private {
			bad("fetch.cdn", "give names of hosts in lower case, .example.com for all below, host/path/ for what lies under a path")
			break
		}
	}
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
	n, unread, keys := read(b)
	base := filepath.Dir(path)
	for _, p := range []*string{&n.Data, &n.Programme} {
		if *p != "" && !filepath.IsAbs(*p) {
			*p = filepath.Join(base, *p)
		}
	}
	for i, p := range n.Notices {
		if p != "" && !filepath.IsAbs(p) {
			n.Notices[i] = filepath.Join(base, p)
		}
	}
	if m := n.Mail; m != nil && m.PasswordFile != "" && !filepath.IsAbs(m.PasswordFile) {
		m.PasswordFile = filepath.Join(base, m.PasswordFile)
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
	if dir, ok := strings.CutPrefix(n.Blobs.Store, "file:"); ok && dir != "" && !filepath.IsAbs(dir) {
		n.Blobs.Store = "file:" + filepath.Join(base, dir)
	}
	for recipient, d := range n.Destinations {
		d.relative(base)
		n.Destinations[recipient] = d
	}
	var faults []string
	if len(unread) == 0 || len(keys) > 0 { // else there is nothing to judge
		faults = n.faults()
	}
	for _, w := range faults { // but for those of keys that could not be read
		if key, _, _ := strings.Cut(w, ":"); !slices.Contains(keys, strings.Split(key, ".")[0]) {
			unread = append(unread, w)
		}
	}
	if err := invalid(unread); err != nil {
		err.Public = path + ": " + err.Public
		return nil, err
	}
	return n, nil
}

// Check fills in defaults and says everything that is wrong, one fault a line.
func (n *Node) Check() error {
	if err := invalid(n.faults()); err != nil {
		return err
	}
	return nil
}

// invalid is the fault of a configuration in which so much is wrong, nil when nothing is.
func invalid(wrong []string) *fault.Error {
	if len(wrong) == 0 {
		return nil
	}
	return fault.New(fault.Invalid, "config.invalid", "%s", strings.Join(wrong, "\n")).
		WithHint("docs/configuration.md lists every key").Because(errors.New("bad configuration"))
}

// faults fills in defaults and returns what is wrong, each beginning with its key and a colon.
func (n *Node) faults() (wrong []string) {
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
	n.Blobs.check(bad)
	n.Fetch.check(n.Region, bad)
	n.checkDestinations(bad)
	if n.Mail != nil {
		n.Mail.check(bad)
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
	if n.CorrectAfter < 0 || n.CorrectAfter > 0 && n.CorrectAfter < time.Second {
		bad("correct_after", "give a second at least, such as 1h")
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
	return wrong
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
