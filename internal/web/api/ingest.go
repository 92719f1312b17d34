package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/ingest/native"
	sdk "domicile.dev/internal/ingest/segment"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/guard"
)

// Sources finds who may bring data. Faults as tenant.Service.SourceByKey has them.
type Sources interface {
	SourceByKey(key string) (*tenant.Source, error)
}

// Sink keeps what came. It uses the batch until it returns, and no longer.
type Sink interface {
	Ingest(ctx context.Context, src *tenant.Source, b *ingest.Batch) (plane.Result, error)
}

// IngestOptions tunes an Ingest. The zero value is right for most nodes.
type IngestOptions struct {
	// InFlightBytes is the most bytes of bodies that are held at once, unpacked. Beyond it, clients
	// are told to come back. Default 48 MiB. Of it, bodies whose sender isn't known yet get a
	// quarter where the key is inside and a quarter where a signature is to be checked; those with a
	// public key get three quarters. Half of that is the most for one peer or source.
	InFlightBytes int64
	// Patience is how long a body may take whose sender isn't known yet. Default 10 s.
	Patience time.Duration
	// Region is this region's id, for answers.
	Region string
	// URL is where browsers reach this region. Default: the host that they asked, by the scheme
	// of the listener.
	URL string
	// ClientIP says where the address comes from that events of browsers get when they name none:
	// "peer" is the connection's, "none" adds nothing, and anything else is the header in which
	// TrustedProxies write it. Default "peer".
	ClientIP string
	// Media keeps recordings and attachments; nil takes none.
	Media MediaSink
	// MediaPatience is how long a client may take for 64 KiB of a recording or attachment before it
	// is cut off: it holds the place of others. Default 30 s.
	MediaPatience time.Duration
	// TrustedProxies are the addresses of the proxies whose header is believed. Default: none is.
	TrustedProxies []netip.Prefix
	// Tokens is for sources with OAuth. Default: nobody gets a token.
	Tokens Tokens
	// Planned returns the kinds as a source's tracking plan judges their events. Default: the same for all.
	Planned func(*tenant.Source) ingest.Kinds
	// Notices does what other regions tell of people whose data they sent. Default: nothing is heard.
	Notices Hearer
	// Log is told when clients are sent away. Default: nobody.
	Log *slog.Logger
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Ingest answers the paths by which data comes: those of the Segment and RudderStack SDKs, and
// /v1/records. It never redirects: SDKs take a redirect for a delivery.
type Ingest struct {
	sources  Sources
	sink     Sink
	opt      IngestOptions
	inFlight atomic.Int64 // bytes, those in shares among them
	shares   shares
	shedAt   atomic.Int64 // when the log was last told, Unix seconds
}

// NewIngest returns the handler of everything under /v1/, /beacon/v1/ and /pixel/v1/, and of
// /sourceConfig and /token.
func NewIngest(sources Sources, sink Sink, kinds ingest.Kinds, opt IngestOptions) *Ingest {
	if opt.InFlightBytes <= 0 {
		opt.InFlightBytes = 48 << 20
	}
	if opt.MediaPatience <= 0 {
		opt.MediaPatience = 30 * time.Second
	}
	if opt.Planned == nil {
		opt.Planned = func(*tenant.Source) ingest.Kinds { return kinds }
	}
	if opt.Patience <= 0 {
		opt.Patience = 10 * time.Second
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Ingest{sources: sources, sink: sink, opt: opt}
}

// First returns a handler that answers what is Ingest's and hands everything else to next. It
// belongs in front of an http.ServeMux, which would redirect "//v1/batch", as an SDK asks whose
// host was given with a slash, and so lose it.
func (in *Ingest) First(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; under(p) || strings.Contains(p, "//") && under(path.Clean(p)) {
			in.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func under(p string) bool {
	return strings.HasPrefix(p, "/v1/") || strings.HasPrefix(p, "/beacon/v1/") || strings.HasPrefix(p, "/pixel/v1/") ||
		p == pathConfig || p == pathConfig+"/" || p == pathToken
}

// ServeHTTP answers one request.
func (in *Ingest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := r.URL.Path
	if strings.Contains(p, "//") || strings.HasSuffix(p, "/") {
		p = path.Clean(p)
	}
	p = strings.TrimPrefix(p, "/beacon")
	if _, cross := r.Header["Origin"]; cross {
		allowOrigin(w.Header())
	}
	single, events := sdk.Serves(p)
	key, settings := settingsKey(p)
	clientID, media := mediaPath(r.URL)
	pixel, isPixel := pixelCalls[p]
	method := http.MethodPost
	switch {
	case events:
		r.Pattern = segmentPatterns[p]
	case p == pathRecords, p == pathNotices && in.opt.Notices != nil:
		r.Pattern = "POST " + p
	case p == pathMetrics, p == pathMerge, p == pathToken:
		r.Pattern = "POST " + p
	case p == pathConfig:
		r.Pattern, method = "GET "+pathConfig, http.MethodGet
	case media:
		r.Pattern, method = patternMedia, http.MethodPut
	case isPixel:
		r.Pattern, method = "GET "+p, http.MethodGet
	case settings:
		r.Pattern, method = "GET /v1/projects/{key}/settings", http.MethodGet
	default:
		r.Pattern = "/v1/"
		if r.Method == http.MethodOptions { // so that a page can read the answer that follows
			preflight(w, http.MethodPost)
			return
		}
		in.drain(w, r, sdk.MaxBodyBytes)
		guard.Fail(w, fault.New(fault.NotFound, "path.unknown", "there is nothing here").WithHint("see /api/docs for the paths that take data"))
		return
	}
	switch {
	case r.Method == http.MethodOptions:
		preflight(w, method)
	case r.Method != method:
		w.Header().Set("Allow", method+", OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, "method.unknown", "this path takes "+method)
	case events:
		away, err := in.takeEvents(w, r, p, single)
		switch {
		case err != nil:
			failSegment(w, err)
		case len(away) > 0:
			succeedInPart(w, away)
		default:
			succeed(w)
		}
	case p == pathRecords:
		in.takeRecords(w, r)
	case p == pathNotices:
		in.takeNotice(w, r)
	case media:
		in.takeMedia(w, r, clientID)
	case isPixel:
		in.pixel(w, r, pixel)
	case settings:
		in.settings(w, r, key)
	case p == pathConfig:
		in.sourceConfig(w, r)
	case p == pathMerge:
		in.drain(w, r, sdk.MaxBodyBytes)
		failSegment(w, fault.New(fault.Invalid, "call.unsupported", "merge is not taken").
			WithHint("alias says that two ids are one person"))
	case p == pathToken:
		in.token(w, r)
	default: // the browser SDK's measurements of itself: not asked for, and not kept
		in.drain(w, r, sdk.MaxBodyBytes)
		succeed(w)
	}
}

const (
	pathRecords = "/v1/records"
	pathMetrics = "/v1/m"
	pathMerge   = "/v1/merge"     // RudderStack's seventh call, which no SDK of its makes
	pathConfig  = "/sourceConfig" // what RudderStack's browser SDK asks for first
	pathToken   = "/token"        // where Segment's SDKs of OAuth sources get their tokens
)

// segmentPatterns are the labels under which requests are counted.
var segmentPatterns = func() map[string]string {
	m := map[string]string{}
	for _, name := range strings.Fields("batch import b track identify page screen group alias t i p s g a") {
		m["/v1/"+name] = "POST /v1/" + name
	}
	return m
}()

// takeEvents takes the body of one of the Segment SDKs' requests. When it returns no error, what was
// good of it is durable; away is what belongs to other regions.
func (in *Ingest) takeEvents(w http.ResponseWriter, r *http.Request, p string, single bool) (away []ingest.Refusal, err error) {
	key, src, err := in.who(r, term.AdapterSegment)
	if err != nil {
		in.drain(w, r, sdk.MaxBodyBytes)
		return nil, err
	}
	from := sender{class: keyless, name: in.peer(r)}
	if src != nil {
		from = senderOf(src)
	}
	body := in.body(sdk.MaxBodyBytes, from)
	defer body.release()
	if err := body.read(w, r); err != nil {
		return nil, err
	}
	if src == nil {
		inside, err := sdk.WriteKey(body.bytes)
		if err != nil {
			return nil, err
		}
		if key = string(inside); key == "" {
			return nil, keyMissing()
		}
		if src, err = in.source(key, term.AdapterSegment); err != nil {
			return nil, err
		}
		body.know(senderOf(src))
	}
	asked := key
	if tenant.IsAccessToken(key) {
		asked = "" // the keys in the body are held against each other, and one of them against the source
	}
	b, err := sdk.Decode(p, body.bytes, ingest.Env{ReceivedAt: in.opt.Now(), Kinds: in.opt.Planned(src), Service: src.Service,
		Key: asked, Peer: in.peer(r), PeerIsSubject: src.Trust == term.Public})
	if err != nil {
		return nil, err
	}
	defer b.Release()
	if inside := string(b.WriteKey); b.WriteKey != nil && inside != key {
		if !tenant.IsAccessToken(key) {
			return nil, keyMismatch()
		}
		if err := in.sameSource(src, inside); err != nil {
			return nil, err
		}
	}
	b.GPC = gpc(r, src)
	result, err := in.sink.Ingest(context.WithoutCancel(r.Context()), src, b)
	if err == nil {
		err = result.Elsewhere(in.opt.Region, len(b.Events))
	}
	if err == nil && single {
		err = notKept(&result, mend)
	}
	if err != nil {
		return nil, err
	}
	return awayOf(result.Refused), nil
}

// takeRecords takes a body of native records and answers.
func (in *Ingest) takeRecords(w http.ResponseWriter, r *http.Request) {
	_, src, err := in.who(r, term.AdapterNative)
	if err == nil && src == nil {
		err = keyMissing()
	}
	if err != nil {
		in.drain(w, r, native.MaxBodyBytes)
		guard.Fail(w, err)
		return
	}
	body := in.body(native.MaxBodyBytes, senderOf(src))
	defer body.release()
	if err := body.read(w, r); err != nil {
		failNative(w, err)
		return
	}
	b, err := native.Decode(r.Header.Get("Content-Type"), body.bytes, ingest.Env{ReceivedAt: in.opt.Now(), Kinds: in.opt.Planned(src), Service: src.Service})
	if err != nil {
		failNative(w, err)
		return
	}
	defer b.Release()
	result, err := in.sink.Ingest(context.WithoutCancel(r.Context()), src, b)
	if err != nil {
		failNative(w, err)
		return
	}
	tell(w, &result)
}
