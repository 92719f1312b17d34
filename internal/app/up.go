package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/vault"
)

// UpRegions are the regions that `domicile up` runs, in the order of their ports.
var UpRegions = []string{"ie1", "us1", "au1"}

// UpTenant is the tenant that `domicile up` makes.
const UpTenant = "acme"

// UpOptions is what `domicile up` is told.
type UpOptions struct {
	Dir       string // everything lies under it; a folder per region
	Listen    string // host:port of the first region
	Store     string // "" or postgres://…, one server with a database for each region
	Programme *programme.Programme
	Folder    fs.FS                  // where the programme lies; its register is noted at the first start, as assumed
	Notices   []*programme.Programme // other versions for the privacy centre
	// Destinations are recipients' addresses, "RECIPIENT=URL" each.
	Destinations []string
	Log          *slog.Logger
	Version      string
	Now          func() time.Time // the clock of what is published; default time.Now
	Mail         *config.Mail     // default: messages wait
	// Demo starts a flow of each form, to recipients under /demo/ of the first region.
	Demo bool
}

// UpFile is up.json: where everything is, and the credentials to use it.
type UpFile struct {
	Version   int        `json:"version"`
	Programme string     `json:"programme"`
	Regions   []UpRegion `json:"regions"`
	Staff     []struct{} `json:"staff"` // nobody signs in yet
	// Destinations are the recipients that were pointed somewhere.
	Destinations []UpDestination `json:"destinations,omitempty"`
}

// UpRegion is one region of up.json.
type UpRegion struct {
	ID        string              `json:"id"`
	URL       string              `json:"url"`
	Data      string              `json:"data"`
	Tenant    string              `json:"tenant"`
	APIToken  string              `json:"api_token"`
	Sources   map[string]UpSource `json:"sources"`
	LedgerKey string              `json:"ledger_key"`
}

// UpSource is one source of up.json: where it is and what a client needs, or whoever plays the vendor.
type UpSource struct {
	ID          string `json:"id"`
	WriteKey    string `json:"write_key,omitempty"`
	Token       string `json:"token,omitempty"`
	AccountSID  string `json:"account_sid,omitempty"`
	AuthToken   string `json:"auth_token,omitempty"`
	PrivateKey  string `json:"private_key,omitempty"` // PKCS#8, base64: what SendGrid would sign with
	AppSecret   string `json:"app_secret,omitempty"`
	VerifyToken string `json:"verify_token,omitempty"`
	URL         string `json:"url,omitempty"`
}

func (s UpSource) key() string { return s.WriteKey + s.Token }

// Up is three running regions.
type Up struct {
	File  UpFile
	Nodes []*Node
	// Assumed is how many facts of the programme's folder each region's register was given at its first
	// start; 0 when it had been given them before.
	Assumed map[string]int
	// DemoURL is where the demo's recipients show what they got; "" without any.
	DemoURL string

	listeners []net.Listener
	log       *slog.Logger
}

// upSources are the sources that `domicile up` makes in each region, of the adapters that it has.
var upSources = []struct {
	name string
	new  tenant.NewSource
}{
	{"segment", tenant.NewSource{Name: "segment", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}},
	{"browser", tenant.NewSource{Name: "browser", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Public}},
	{"rudderstack", tenant.NewSource{Name: "rudderstack", Adapter: term.AdapterSegment, Service: "cdp", Trust: term.Server}},
	{"twilio", tenant.NewSource{Name: "twilio", Adapter: term.AdapterTwilio, Trust: term.Server}},
	{"sendgrid", tenant.NewSource{Name: "sendgrid", Adapter: term.AdapterSendGrid, Trust: term.Server}},
	{"whatsapp", tenant.NewSource{Name: "whatsapp", Adapter: term.AdapterWhatsApp, Trust: term.Server}},
	{"native", tenant.NewSource{Name: "native", Adapter: term.AdapterNative, Trust: term.Server}},
}

// UpSourceNames returns the names of the sources of up.json, in order.
func UpSourceNames() (names []string) {
	for _, s := range upSources {
		if slices.Contains(adapters(), s.new.Adapter) {
			names = append(names, s.name)
		}
	}
	return names
}

// StartUp opens three nodes on consecutive ports and writes up.json when all are ready. A start on
// the same Dir keeps its data, keys and credentials.
func StartUp(ctx context.Context, o UpOptions) (up *Up, err error) {
	up = &Up{log: o.Log, Assumed: map[string]int{}, File: UpFile{Version: 1, Programme: o.Programme.Hash, Staff: []struct{}{}}}
	defer func() {
		if err != nil {
			up.close()
			up = nil
		}
	}()
	var to map[string]config.Destination
	if up.File.Destinations, to, err = upDestinations(ctx, o.Destinations, readUpDestinations(o.Dir), o.Programme); err != nil {
		return up, err
	}
	configs, err := up.listen(ctx, o)
	if err != nil {
		return up, err
	}
	var demo *demoRecipient
	if flows := demoFlows(o.Programme); o.Demo && len(flows) > 0 { // none of another programme's
		if up.File.Destinations, to, err = upDestinations(ctx, demoDestinations(flows, loopback(up.listeners[0]), o.Destinations), readUpDestinations(o.Dir), o.Programme); err != nil {
			return up, err
		}
		demo = newDemoRecipient(o.Programme, flows, up.File.Destinations)
		up.DemoURL = loopback(up.listeners[0]) + "/demo/"
	}
	for _, c := range configs {
		c.Destinations = to
	}
	keys := make([]vault.Keyring, len(configs))
	for i, c := range configs {
		if keys[i], err = OpenKeyring(c); err != nil {
			return up, err
		}
	}
	if err := introduce(ctx, configs, keys); err != nil {
		return up, err
	}
	assumed, err := besideRegister(o.Folder)
	if err != nil {
		return up, err
	}
	before := readUpFile(filepath.Join(o.Dir, "up.json"))
	for i, c := range configs {
		opt := Options{Programme: o.Programme, Folder: o.Folder, Notices: o.Notices, Log: o.Log, Version: o.Version, Keys: keys[i], Now: o.Now, PrivateReaders: onlyHere(up.listeners[i])}
		if demo != nil && c.Region == demoRegion {
			opt.Demo, opt.WindowGrace = demo, demoGrace
		}
		n, err := Open(ctx, c, opt)
		if err != nil {
			return up, fmt.Errorf("open region %s: %w", c.Region, err)
		}
		up.Nodes = append(up.Nodes, n)
		if up.Assumed[c.Region], err = n.register.Stamp(ctx, assumed); err != nil {
			return up, fmt.Errorf("note what is assumed in region %s: %w", c.Region, err)
		}
		if opt.Demo != nil {
			if err := n.startDemoFlows(ctx, demo.flows); err != nil {
				return up, err
			}
		}
		r, err := furnish(ctx, n, before[c.Region])
		if err != nil {
			return up, fmt.Errorf("furnish region %s: %w", c.Region, err)
		}
		up.File.Regions = append(up.File.Regions, r)
	}
	return up, writeUpFile(filepath.Join(o.Dir, "up.json"), up.File)
}

// listen takes the ports and makes the nodes' configurations.
func (u *Up) listen(ctx context.Context, o UpOptions) ([]*config.Node, error) {
	host, port, err := net.SplitHostPort(o.Listen)
	first, perr := strconv.Atoi(port)
	if err != nil || perr != nil {
		return nil, fault.New(fault.Invalid, "up.listen", "listen must be host:port").WithHint("such as --listen 127.0.0.1:8080")
	}
	var configs []*config.Node
	for i, region := range UpRegions {
		at := first
		if first != 0 {
			at += i
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(at)))
		if err != nil {
			return nil, fault.New(fault.Conflict, "up.port_taken", "port %d for region %s can't be opened", at, region).
				WithHint("stop what uses it, or give three free ports in a row with --listen 127.0.0.1:9080").Because(err)
		}
		u.listeners = append(u.listeners, l)
		c := &config.Node{Region: region, Listen: l.Addr().String(), Data: filepath.Join(o.Dir, region), SharedServer: true, PrivateWebhooks: true, Mail: o.Mail}
		if o.Store != "" {
			if c.Store, err = postgres.EnsureDatabase(ctx, o.Store, "domicile_"+region); err != nil {
				return nil, err
			}
		}
		if err := c.Check(); err != nil {
			return nil, err
		}
		configs = append(configs, c)
	}
	return configs, nil
}

// onlyHere says whether only this machine reaches a listener.
func onlyHere(l net.Listener) bool {
	at, ok := l.Addr().(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// introduce makes every region the witness of the others.
func introduce(ctx context.Context, configs []*config.Node, keys []vault.Keyring) error {
	peers := map[string]config.Peer{}
	for i, c := range configs {
		k, err := LedgerKeys(ctx, c.Region, keys[i])
		if fault.KindOf(err) == fault.NotFound {
			if _, err = keys[i].Create(ctx, vault.LedgerKey); err == nil {
				k, err = LedgerKeys(ctx, c.Region, keys[i])
			}
		}
		if err != nil {
			return err
		}
		peers[c.Region] = config.Peer{URL: c.URL, LedgerKey: k.LogKey(), WitnessKey: k.WitnessKey()}
	}
	for _, c := range configs {
		c.Peers = map[string]config.Peer{}
		for region, p := range peers {
			if region != c.Region {
				c.Peers[region] = p
			}
		}
	}
	return nil
}

// furnish makes the tenant with its sources, as far as they are not there, and returns their
// credentials: those of up.json while they still work, else new ones.
func furnish(ctx context.Context, n *Node, before UpRegion) (UpRegion, error) {
	r := UpRegion{ID: n.Config.Region, URL: n.Config.URL, Data: n.Config.Data, Tenant: UpTenant, Sources: map[string]UpSource{},
		LedgerKey: n.Ledger.Keys().LogKey()}
	op := tenant.Operator
	if _, err := n.Tenants.Tenant(UpTenant); fault.KindOf(err) == fault.NotFound {
		_, _, token, _, err := n.Tenants.CreateTenant(ctx, op, UpTenant, "Acme")
		if err != nil {
			return r, err
		}
		before.APIToken = token
	} else if err != nil {
		return r, err
	}
	if _, err := n.Tenants.TenantByToken(before.APIToken); err != nil {
		_, token, _, err := n.Tenants.CreateToken(ctx, op, UpTenant, "up")
		if err != nil {
			return r, err
		}
		before.APIToken = token
	}
	r.APIToken = before.APIToken
	have, err := n.Tenants.Sources(op, UpTenant)
	if err != nil {
		return r, err
	}
	for _, want := range upSources {
		if !slices.Contains(adapters(), want.new.Adapter) {
			continue
		}
		furnish := furnishSource
		if tenant.Signed(want.new.Adapter) {
			furnish = furnishHook
		}
		s, err := furnish(ctx, n, have, before.Sources[want.name], want.new)
		if err != nil {
			return r, err
		}
		r.Sources[want.name] = s
	}
	return r, nil
}

func furnishSource(ctx context.Context, n *Node, have []tenant.Source, before UpSource, want tenant.NewSource) (UpSource, error) {
	key := before.key()
	src, err := n.Tenants.SourceByKey(key)
	if err != nil {
		var made tenant.Source
		if old := named(have, want); old != nil {
			made, key, _, err = n.Tenants.RotateSource(ctx, tenant.Operator, UpTenant, old.ID, "", 0)
		} else {
			made, key, _, err = n.Tenants.CreateSource(ctx, tenant.Operator, UpTenant, want)
		}
		if err != nil {
			return UpSource{}, err
		}
		src = &made
	}
	if want.Adapter == term.AdapterNative {
		return UpSource{ID: src.ID, Token: key}, nil
	}
	return UpSource{ID: src.ID, WriteKey: key}, nil
}

// named returns the newest source that an earlier start made for want.
func named(have []tenant.Source, want tenant.NewSource) (old *tenant.Source) {
	for i, s := range have {
		if s.Name == want.Name && s.Adapter == want.Adapter {
			old = &have[i]
		}
	}
	return old
}

func readUpFile(path string) map[string]UpRegion {
	var f UpFile
	if b, err := os.ReadFile(path); err == nil {
		_ = json.Unmarshal(b, &f) // a damaged one is written anew, with new credentials
	}
	m := map[string]UpRegion{}
	for _, r := range f.Regions {
		m[r.ID] = r
	}
	return m
}

// writeUpFile writes the file whole or not at all, readable by its owner alone.
func writeUpFile(path string, f UpFile) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return fmt.Errorf("encode up.json: %w", err)
	}
	t, err := os.CreateTemp(filepath.Dir(path), ".up-*") // mode 0600
	if err != nil {
		return fmt.Errorf("make up.json: %w", err)
	}
	defer func() { _ = os.Remove(t.Name()) }()
	_, err = t.Write(append(b, '\n'))
	if err = errors.Join(err, t.Sync(), t.Close()); err != nil {
		return fmt.Errorf("write up.json: %w", err)
	}
	if err := os.Rename(t.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("put up.json in place: %w", err)
	}
	return nil
}

// Serve answers in all regions until ctx ends, drains, and closes everything.
func (u *Up) Serve(ctx context.Context) error {
	flush, err := startTracing(ctx, u.log, "", "up", "")
	if err != nil {
		return fmt.Errorf("start tracing: %w", err)
	}
	defer flush()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(u.Nodes))
	var wg sync.WaitGroup
	for i, n := range u.Nodes {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = n.Serve(ctx, u.listeners[i])
			cancel()
		}()
	}
	wg.Wait()
	for _, n := range u.Nodes {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

func (u *Up) close() {
	for _, l := range u.listeners {
		_ = l.Close()
	}
	for _, n := range u.Nodes {
		_ = n.Close()
	}
}
