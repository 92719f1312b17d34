// Package app puts a node together from its configuration, and three of them for `domicile up`.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"domicile.dev/internal/config"
	"domicile.dev/internal/consent"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
	"domicile.dev/internal/id"
	"domicile.dev/internal/ledger"
	"domicile.dev/internal/media"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/record"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/postgres"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
	"domicile.dev/internal/vault/keyring"
	"domicile.dev/internal/web/api"
	"domicile.dev/internal/web/guard"
	"domicile.dev/internal/web/tiles"
)

// Node is one running node of one region.
type Node struct {
	Config   *config.Node
	Tenants  *tenant.Service
	Plane    *plane.Plane
	Flows    *flow.Runner
	Ledger   *ledger.Ledger
	Publish  *publish.Service
	Operator string // the operator's token

	db       store.DB
	log      *slog.Logger
	vault    *vault.Vault
	records  *record.Log
	blobs    media.Store // nil when this node has none
	api      *api.API
	handler  http.Handler
	metrics  *prometheus.Registry
	certs    *certificates
	sinkFile *os.File
	rules    *rules
	pages    *pages // the privacy centre
	demo     bool   // the recipients of the demo are here

	register  *register.Service
	decisions *decisions
	say       *consent.Service
	looking   sync.Mutex // one reads what is published at a time: what was read last holds
	published atomic.Pointer[published]

	consents   *consentCounts
	neighbours *neighbours
	listening  atomic.Pointer[tls.Config] // what the listener speaks, nil for plain HTTP

	cancel  context.CancelFunc
	workers sync.WaitGroup
}

// Options are what a node gets besides its configuration.
type Options struct {
	Programme *programme.Programme
	// Folder is where the programme lies, with laws and policies of the operator's beside it. Default:
	// nothing is beside it.
	Folder fs.FS
	// Notices are programmes whose notices the privacy centre keeps as other versions.
	Notices []*programme.Programme
	Log     *slog.Logger
	Version string
	// Keys, when not nil, is the node's keyring, opened already.
	Keys vault.Keyring
	// OTLP is where traces go; "" sends none.
	OTLP string
	// Now is the clock of what is published. Default time.Now.
	Now func() time.Time
	// PrivateReaders lets webhooks that readers subscribe be at addresses that are not public, and speak http.
	PrivateReaders bool
	// Connect, when not nil, opens the ways to recipients in place of the configured destinations.
	Connect func(ctx context.Context, recipient string) (flow.Connector, error)
	// Demo, when not nil, answers under /demo/.
	Demo http.Handler
	// WindowGrace is how long after its end a window of an aggregated flow is counted; 0 is the flow's default.
	WindowGrace time.Duration
}

// OpenKeyring opens the keyring of a node.
func OpenKeyring(c *config.Node) (vault.Keyring, error) {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fault.New(fault.Invalid, "config.data", "can't make the folder %s", c.Data).
			WithHint("make it yourself, owned by the user that runs domicile").Because(err)
	}
	return keyring.Open(c.Keyring, c.Region)
}

// Open starts everything of a node but its listener. What it opened it closes again on an error.
//
// Errors: faults that say what to do: a bad configuration, a store of another region, keys that
// don't fit the store, a store that isn't there.
func Open(ctx context.Context, c *config.Node, opt Options) (n *Node, err error) {
	if opt.Programme.Region(c.Region) == nil {
		return nil, fault.New(fault.Invalid, "config.region", "the programme declares no region %s", c.Region).
			WithHint("declare it under regions, or start this node for a region that is declared: domicile programme show")
	}
	if err := checkDestinations(ctx, c.Destinations, opt.Programme); err != nil {
		return nil, err
	}
	n = &Node{Config: c, log: opt.Log.With("region", c.Region), metrics: prometheus.NewRegistry()}
	n.neighbours = newNeighbours(n)
	defer func() {
		if err != nil {
			_ = n.Close()
			n = nil
		}
	}()
	if n.rules, err = compile(opt.Programme); err != nil {
		return n, err
	}
	keys := opt.Keys
	if keys == nil {
		if keys, err = OpenKeyring(c); err != nil {
			return n, err
		}
	}
	if n.db, err = openStore(ctx, c, n.log); err != nil {
		return n, err
	}
	if n.vault, err = vault.Open(ctx, n.db, sqlstore.Vaults{}, keys, vault.Options{Region: c.Region,
		EpochLength: c.EpochLength, Log: n.log}); err != nil {
		return n, err
	}
	if n.Ledger, err = openLedger(ctx, n, keys); err != nil {
		return n, err
	}
	if n.records, err = record.Open(ctx, n.db, sqlstore.Records{}, record.Options{
		OnError: func(err error) { n.log.Error("merging the index failed", "error", err) }}); err != nil {
		return n, fmt.Errorf("open the record log: %w", err)
	}
	if n.Operator, err = tenant.OperatorToken(filepath.Join(c.Data, "operator.token"), c.Region); err != nil {
		return n, err
	}
	urls := map[string]string{c.Region: c.URL}
	for region, p := range c.Peers {
		urls[region] = p.URL
	}
	if n.Tenants, err = tenant.Open(ctx, n.db, sqlstore.Tenants{}, enterer{n.Ledger}, tenant.Options{Region: c.Region, Peers: urls,
		Adapters: adapters(), Service: n.rules.serviceFor, Keys: n.vault, Secret: checkSecret, OperatorToken: n.Operator, Log: n.log}); err != nil {
		return n, err
	}
	n.register = register.Open(n.db, sqlstore.Registers{}, enterer{n.Ledger}, register.Options{Log: n.log})
	if n.decisions, err = openDecisions(opt.Programme, opt.Folder, n.register, n.Tenants, &n.published); err != nil {
		return n, err
	}
	if err := n.openBlobs(ctx); err != nil {
		return n, err
	}
	po := plane.Options{Log: n.log, Fetcher: newFetcher(c.Fetch, n.Tenants), MediaBytes: c.Blobs.MaxMegabytes << 20, Uploads: c.Blobs.Uploads,
		URLs: urls, Adapter: n.Tenants.Adapter, Now: opt.Now, CorrectAfter: c.CorrectAfter}
	if os.Getenv("DOMICILE_BENCH_SINK") == "file" {
		if po.Sink, err = n.fileSink(); err != nil {
			return n, err
		}
	}
	n.say, n.consents = consent.New(sqlstore.Consents{}), newConsentCounts(n)
	n.openFlows(opt)
	n.Plane = plane.New(plane.Parts{Region: c.Region, DB: n.db, Rules: n.rules, Vault: n.vault, Log: n.records, Ledger: n.Ledger,
		Subjects: sqlstore.Subjects{}, Changes: sqlstore.Changes{}, Counters: sqlstore.Stats{}, Moves: sqlstore.Moves{}, Pseudonyms: sqlstore.Pseudonyms{},
		Media: sqlstore.Medias{}, Blobs: n.blobs, Trust: n.Tenants.Trust,
		Consents: sqlstore.Consents{}, Choices: n.rules.choices, Purpose: n.rules.purpose, Uses: n.rules.use, Askings: n.askings, Recipient: n.rules.recipient, Attempts: n.Flows, Notices: n.Flows, Owed: sqlstore.Owed{}}, po)
	n.say.Numbers = n.Plane.Numbers
	if err := n.openPublish(ctx, opt); err != nil {
		return n, err
	}
	if err := n.serveWeb(n.rules, opt); err != nil {
		return n, err
	}
	n.startWorkers()
	return n, nil
}

func openStore(ctx context.Context, c *config.Node, log *slog.Logger) (store.DB, error) {
	if c.Store == "" {
		db, err := sqlite.Open(ctx, c.Data, sqlite.Options{Region: c.Region, Log: log})
		if err != nil {
			return nil, err
		}
		return db, nil
	}
	db, err := postgres.Open(ctx, c.Store, postgres.Options{Region: c.Region, ExclusiveServer: !c.SharedServer,
		RequireVerifiedTLS: !c.SharedServer, Log: log})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// LedgerKeys returns the keys that sign the region's ledger. The keyring has them after the first start.
func LedgerKeys(ctx context.Context, region string, keys vault.Keyring) (*ledger.Keys, error) {
	seed, err := keys.Get(ctx, vault.LedgerKey)
	if err != nil {
		return nil, fmt.Errorf("get the ledger's key: %w", err)
	}
	return ledger.NewKeys(ledger.Origin(region), seed)
}

func openLedger(ctx context.Context, n *Node, keys vault.Keyring) (*ledger.Ledger, error) {
	signer, err := LedgerKeys(ctx, n.Config.Region, keys)
	if err != nil {
		return nil, err
	}
	var peers []ledger.Peer
	for region, p := range n.Config.Peers {
		if p.LedgerKey != "" {
			peers = append(peers, ledger.Peer{Origin: ledger.Origin(region), LogKey: p.LedgerKey, WitnessKey: p.WitnessKey, URL: p.URL})
		}
	}
	return ledger.Open(ctx, n.db, sqlstore.Ledgers{}, ledger.Options{Keys: signer, Peers: peers, Log: n.log})
}

// enterer enters what tenant does into the ledger.
type enterer struct{ l *ledger.Ledger }

func (e enterer) Enter(tx store.Tx, kind, tenantID string, body any) (id.Entry, error) {
	refs, err := e.l.Append(tx, ledger.Draft{Kind: kind, Tenant: tenantID, At: time.Now(), Body: body})
	if err != nil {
		return id.Entry{}, err
	}
	return refs[0].Entry, nil
}

func (e enterer) Entered() { e.l.Committed() }

func (n *Node) serveWeb(r *rules, opt Options) error {
	answers, err := n.vault.Shared("domicile idempotency 1 " + n.Config.Region)
	if err != nil {
		return fmt.Errorf("derive the key of idempotency digests: %w", err)
	}
	w := &watch{n: n, published: n.Published, disclosed: n.disclosed}
	if n.api, err = api.New(n.Plane, n.Tenants, api.Options{Region: n.Config.Region, Programme: r.Hash, Version: opt.Version,
		DB: n.db, Answers: sqlstore.Idempotency{}, Secret: answers, Moves: n.Plane, Drift: w,
		Register: n.register, Decider: &decider{n.decisions, n.db, n.say}, Publisher: n.Publish, Consents: n.consents, Flows: n.Flows, Notices: n.Flows, Heard: n.Plane}); err != nil {
		return fmt.Errorf("make the API: %w", err)
	}
	n.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	n.metrics.MustRegister(n.Plane.Collectors()...)
	n.metrics.MustRegister(n.Flows.Collectors()...)
	n.metrics.MustRegister(ledgerMetrics(n.Ledger)...)
	n.metrics.MustRegister(w)
	n.metrics.MustRegister(dueMetric{n.decisions}, n.consents)
	g := guard.New(n.log, n.metrics, guard.Options{TLS: n.Config.TLS != nil})
	n.handler = g.Wrap(n.routes(r, tiles.New(n.Ledger), n.pages, opt.Demo))
	if Endpoint(opt.OTLP) != "" {
		n.handler = traced(n.handler)
	}
	return nil
}

// startWorkers starts what a node does on its own.
func (n *Node) startWorkers() {
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	for _, run := range []func(context.Context){n.vault.Run, n.records.Run, n.Ledger.Run, n.Tenants.Run, n.register.Run, n.api.Run, n.Plane.Sweep, n.Plane.Reindex, n.Plane.RunNumbers, n.Plane.RunFetch, n.tellMoves, n.correct, n.Flows.Run, n.Publish.Run, n.watchPublished, n.pages.run, n.neighbours.run, n.consents.run} {
		n.workers.Add(1)
		go func() {
			defer n.workers.Done()
			run(ctx)
		}()
	}
}

// drainTime is how long open requests get to end.
const drainTime = 20 * time.Second

// Serve answers on l until ctx ends, then lets open requests end. It closes l.
func (n *Node) Serve(ctx context.Context, l net.Listener) error {
	srv := guard.NewServer(n.handler, n.log)
	if n.Config.TLS != nil {
		if n.certs == nil {
			c, err := newCertificates(n.Config.TLS)
			if err != nil {
				return err
			}
			n.certs = c
		}
		srv.TLSConfig = n.certs.config()
		n.listening.Store(srv.TLSConfig)
	}
	done := make(chan error, 1)
	go func() {
		if srv.TLSConfig != nil {
			done <- srv.ServeTLS(l, "", "")
		} else {
			done <- srv.Serve(l)
		}
	}()
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		_ = srv.Close()
	}
	<-done
	return nil
}

// Close stops the workers, commits what is queued and closes the store.
func (n *Node) Close() error {
	if n.Plane != nil {
		n.Plane.Close()
	}
	if n.cancel != nil {
		n.cancel()
	}
	n.workers.Wait()
	var errs []error
	if n.blobs != nil {
		errs = append(errs, n.blobs.Close())
	}
	if n.sinkFile != nil {
		errs = append(errs, n.sinkFile.Close())
	}
	if n.db != nil {
		errs = append(errs, n.db.Close())
	}
	return errors.Join(errs...)
}
