// Package api serves a tenant's API under /api: people and their records, the ledger's entries,
// counts, and the management of tenants, sources and tokens.
//
// A handler decodes, calls one method of the Service, encodes, and returns its error. Operations
// that are called thousands of times a second are written out (records.go, people.go); the others
// are huma's. All are in one OpenAPI document, and a test keeps it in step with both.
package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/register"
	"domicile.dev/internal/store"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/web/guard"
)

// Options says where the API stands. Region, DB, Answers and Secret are needed.
type Options struct {
	Region string
	// Programme returns the hash of the programme in force, "sha256:…".
	Programme func() string
	// Version of Domicile, for the OpenAPI document.
	Version string
	// DB and Answers keep what was answered to requests with an Idempotency-Key; Secret, 32 bytes
	// that all nodes of the region share and that no store holds, keys their digests.
	DB      store.DB
	Answers Answers
	Secret  []byte
	// Moves moves people between regions. Default: nobody moves.
	Moves Moves
	// Drift compares what runs with what is published. Default: nobody does.
	Drift Drift
	// Register keeps what was observed, Decider decides by it. Default: there are no such calls.
	Register *register.Service
	Decider  Decider
	// Consents counts consents that stand. Default: nobody does.
	Consents ConsentCounter
	// Publisher keeps what is published. Default: nothing is.
	Publisher Publisher
	// Flows runs the region's flows. Default: there are none.
	Flows Flows
	// Notices lists what recipients are told. Default: nothing is.
	Notices Notices
	// Heard lists what other regions told. Default: nothing is.
	Heard Heard
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// API answers every path under /api/.
type API struct {
	service  Service
	accounts *tenant.Service
	opt      Options
	routes   routes
	idem     *idempotency
	huma     huma.API
	document []byte // the OpenAPI document, JSON
	page     []byte // the same for reading, HTML
}

// Body limits.
const (
	maxBody     = 64 << 10
	pathOpenAPI = "/api/openapi.json"
	pathDocs    = "/api/docs"
)

// New returns the API over s and accounts.
func New(s Service, accounts *tenant.Service, opt Options) (*API, error) {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Programme == nil {
		opt.Programme = func() string { return "" }
	}
	a := &API{service: s, accounts: accounts, opt: opt, idem: newIdempotency(opt.DB, opt.Answers, opt.Secret, opt.Now)}
	a.huma = newHuma(a, opt)
	a.addPeople()
	a.addRecords()
	a.addMedia()
	a.addStates()
	a.addSay()
	a.addAskAgain()
	a.addPseudonyms()
	a.addIdentifiers()
	a.addLooks()
	a.addViolations()
	a.addDrift()
	a.addAccounts()
	a.addMoves()
	a.addKeys()
	a.describeIngest()
	a.addRegister()
	a.addPublish()
	a.addFlows()
	a.addNotices()
	a.addHeard()
	return a, a.addDocument()
}

// Run forgets kept answers that are over a day old, until ctx ends.
func (a *API) Run(ctx context.Context) { a.idem.run(ctx) }

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var c call
	op, allow := a.routes.find(r.Method, r.URL, &c)
	if op == nil {
		r.Pattern = "/api/"
		a.refuseMethod(w, r, allow)
		return
	}
	r.Pattern = op.pattern
	if err := a.serve(w, r, op, &c); err != nil {
		guard.Fail(w, err)
	}
}

// serve finds out who asks, and lets op answer.
func (a *API) serve(w http.ResponseWriter, r *http.Request, op *route, c *call) (err error) {
	if op.who != anyone {
		token, err := guard.Bearer(r)
		if err != nil {
			return err
		}
		if op.who == managers {
			c.caller, err = a.accounts.CallerByToken(token)
		} else {
			c.caller, err = a.accounts.TenantByToken(token)
		}
		if err != nil {
			return err
		}
	}
	if op.method == http.MethodGet {
		return op.handle(w, r, c)
	}
	guard.LimitBody(w, r, op.maxBody)
	if key := r.Header["Idempotency-Key"]; len(key) > 0 && !op.streamed {
		return a.idem.serve(w, r, c, key)
	}
	return op.handle(w, r, c)
}

// refuseMethod answers where a path or its method is unknown.
func (a *API) refuseMethod(w http.ResponseWriter, r *http.Request, allow []string) {
	if len(allow) == 0 {
		guard.Fail(w, unknownPath())
		return
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	p := guard.Describe(fault.New(fault.Invalid, "method.not_allowed", "this call does not have that method").
		WithHint("use one of those in Allow").With("allow", allow))
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	p.Write(w)
}

// readBody reads a request body whole; its limit is set.
func readBody(r *http.Request) ([]byte, error) {
	if n := r.ContentLength; n > 0 && n <= maxBody {
		b := make([]byte, n)
		_, err := io.ReadFull(r.Body, b)
		return b, bodyFault(err)
	}
	b, err := io.ReadAll(r.Body)
	return b, bodyFault(err)
}

func bodyFault(err error) error {
	if err == nil || guard.Describe(err).Status == http.StatusRequestEntityTooLarge {
		return err
	}
	return fault.New(fault.Invalid, "request.cut_short", "the body ended before its time").Because(err)
}

// answer writes a JSON body.
func answer(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	w.WriteHeader(status)
	_, err := w.Write(body)
	guard.Note(w, err)
	return nil // too late for a problem
}

var jsonType = []string{"application/json"}
