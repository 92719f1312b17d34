package api

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest"
	"domicile.dev/internal/plane"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/term"
	"domicile.dev/internal/web/guard"
)

// Hooks finds the source that a webhook's path names. Faults as tenant.Service.Hook has them. Fresh is
// asked where the secrets that Hook gave don't fit: it knows what other nodes have just changed.
type Hooks interface {
	Hook(sid string) (*tenant.Hook, error)
	Fresh(sid string) (*tenant.Hook, error)
}

// Webhook is how the webhooks of one vendor are taken.
type Webhook struct {
	// Adapter is the word in the path, "/twilio/{source}", and that of the sources.
	Adapter      string
	MaxBodyBytes int
	// Verify says whether d was signed with s. Where it is nil, the source's key comes as a bearer
	// token.
	Verify func(d *Delivery, s tenant.Secrets) error
	// Decode reads what was verified.
	Decode func(d *Delivery, env ingest.Env) (*ingest.Batch, error)
	// Answer says that what was good of d is durable, and what wasn't; an error is the answer when
	// there is nothing to acknowledge. Default: 200 without a body.
	Answer func(w http.ResponseWriter, d *Delivery, result *plane.Result) error
	// GreetMethod is the method by which a vendor asks, before it sends anything, whether it may;
	// Greet answers. Default: it doesn't.
	GreetMethod string
	Greet       func(w http.ResponseWriter, r *http.Request, h *tenant.Hook) error
}

// Delivery is one webhook on its way in. Body is good until it is answered.
type Delivery struct {
	Header http.Header
	// URLs are what the vendor may have been told to post to, as seen from outside, query included:
	// below the node's configured address first, then below the host that was asked.
	URLs []string
	Body []byte
	Now  time.Time
}

// ContentType returns the header of that name.
func (d *Delivery) ContentType() string { return d.Header.Get("Content-Type") }

// WebhookPath returns where the webhooks of a source go, "" when none come.
func WebhookPath(adapter, sid string) string {
	if tenant.Signed(adapter) || adapter == term.AdapterCloudEvents {
		return "/" + adapter + "/" + sid
	}
	return ""
}

// Webhooks answers the paths that vendors post to. It shares its limits with an Ingest and, like it,
// never redirects.
type Webhooks struct {
	in    *Ingest
	hooks Hooks
	all   map[string]*webhook // by the first segment of the path
}

type webhook struct {
	Webhook
	pattern, greetPattern string // labels of metrics
	methods               []string
}

// NewWebhooks returns the handler of all's paths.
func NewWebhooks(in *Ingest, hooks Hooks, all ...Webhook) *Webhooks {
	h := &Webhooks{in: in, hooks: hooks, all: map[string]*webhook{}}
	for _, v := range all {
		p := "/" + v.Adapter + "/{source}"
		x := &webhook{Webhook: v, pattern: "POST " + p, methods: []string{http.MethodPost}}
		if v.Greet != nil {
			x.greetPattern, x.methods = v.GreetMethod+" "+p, append(x.methods, v.GreetMethod)
			slices.Sort(x.methods)
		}
		h.all[v.Adapter] = x
	}
	return h
}

// First returns a handler that answers what is for vendors and hands everything else to next. It
// belongs in front of an http.ServeMux, as Ingest.First does.
func (h *Webhooks) First(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if strings.Contains(p, "//") {
			p = path.Clean(p)
		}
		name, rest, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		if v := h.all[name]; v != nil && rest != "" {
			sid, _, _ := strings.Cut(rest, "/") // what follows the source is the tenant's own order
			h.serve(w, r, v, sid)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *Webhooks) serve(w http.ResponseWriter, r *http.Request, v *webhook, sid string) {
	r.Pattern = v.pattern
	greeting := v.Greet != nil && r.Method == v.GreetMethod
	if greeting {
		r.Pattern = v.greetPattern
	} else if r.Method != http.MethodPost {
		h.in.drain(w, r, v.MaxBodyBytes)
		refuseMethod(w, v.methods)
		return
	}
	hook, err := h.hook(v, sid)
	switch {
	case err != nil:
		h.in.drain(w, r, v.MaxBodyBytes)
	case greeting:
		if err = v.Greet(w, r, hook); err != nil { // with a token, perhaps, that another node just made
			if fresh, newer := h.fresh(hook); newer != nil {
				err = newer
			} else if fresh != nil {
				err = v.Greet(w, r, fresh)
			}
		}
	default:
		err = h.take(w, r, v, hook)
	}
	if err != nil {
		guard.Fail(w, err)
	}
}

// hook returns the source that the path names, if it is one for v.
func (h *Webhooks) hook(v *webhook, sid string) (*tenant.Hook, error) {
	hook, err := h.hooks.Hook(sid)
	if err == nil && hook.Source.Adapter != v.Adapter {
		return nil, fault.New(fault.Forbidden, "source.wrong_adapter", "this source is of another kind").
			WithHint("the first part of the path is the source's adapter")
	}
	return hook, err
}

// take takes one webhook: nothing of its body is looked at before it is known who sent it. When it
// returns nil, what was good is durable, and that was said.
func (h *Webhooks) take(w http.ResponseWriter, r *http.Request, v *webhook, hook *tenant.Hook) error {
	if v.Verify == nil {
		if err := h.keyOf(r, hook.Source); err != nil {
			h.in.drain(w, r, v.MaxBodyBytes)
			return err
		}
	}
	from := sender{class: hooked, name: hook.Source.ID}
	if v.Verify == nil {
		from = senderOf(hook.Source)
	}
	body := h.in.body(v.MaxBodyBytes, from)
	defer body.release()
	if err := body.receive(w, r); err != nil {
		return err
	}
	d := &Delivery{Header: r.Header, URLs: h.urls(r), Body: body.bytes, Now: h.in.opt.Now()}
	if v.Verify != nil {
		if err := h.verify(v, d, hook); err != nil {
			return err
		}
		body.know(sender{class: known})
	}
	if err := body.unpack(r); err != nil {
		return err
	}
	d.Body = body.bytes
	b, err := v.Decode(d, ingest.Env{ReceivedAt: d.Now, Kinds: h.in.opt.Planned(hook.Source), Service: hook.Source.Service,
		Account: hook.Source.Account})
	if err != nil {
		return err
	}
	defer b.Release()
	result, err := h.in.sink.Ingest(context.WithoutCancel(r.Context()), hook.Source, b)
	if err == nil && v.Verify == nil { // a vendor who signs would send it again and again: it is told that all is well
		err = result.Elsewhere(h.in.opt.Region, len(b.Events))
	}
	if err != nil {
		return err
	}
	if v.Answer != nil {
		return v.Answer(w, d, &result)
	}
	return nil
}

// verify says whether d was signed with one of the secrets that hook has, or has by now.
func (h *Webhooks) verify(v *webhook, d *Delivery, hook *tenant.Hook) error {
	err := signed(v, d, hook.Secrets)
	if err == nil {
		return nil
	}
	fresh, newer := h.fresh(hook)
	switch {
	case newer != nil:
		return newer
	case fresh == nil:
		return err
	}
	return signed(v, d, fresh.Secrets)
}

// fresh returns the source of hook when it has other secrets by now, nil when it doesn't.
func (h *Webhooks) fresh(hook *tenant.Hook) (*tenant.Hook, error) {
	now, err := h.hooks.Fresh(hook.Source.ID)
	if err != nil || slices.Equal(now.Secrets, hook.Secrets) {
		return nil, err
	}
	return now, nil
}

// signed says whether d was signed with one of the secrets that hold.
func signed(v *webhook, d *Delivery, secrets []tenant.Secrets) error {
	var err error
	for _, s := range secrets {
		if err = v.Verify(d, s); err == nil {
			return nil
		}
	}
	// Whatever is wrong with it, the answer is the same: it is not the vendor who sends this.
	f := fault.New(fault.Forbidden, "signature.mismatch", "the signature does not fit the request").Because(err)
	if was, ok := fault.As(err); ok && was.Kind == fault.Unauthenticated {
		f.Reason, f.Public, f.Hint = was.Reason, was.Public, was.Hint
	}
	return f
}

// keyOf says whether the request has the key of the source in its path.
func (h *Webhooks) keyOf(r *http.Request, src *tenant.Source) error {
	key, err := guard.Bearer(r)
	if err != nil {
		return err
	}
	of, err := h.in.sources.SourceByKey(key)
	if err == nil && of.ID != src.ID {
		return fault.New(fault.Forbidden, "source.key_mismatch", "the key is not that of the source in the path")
	}
	return err
}

// urls are the addresses that the vendor may know this request's path by. Signatures cover the
// address as it was configured; behind a proxy the node sees another one.
func (h *Webhooks) urls(r *http.Request) (all []string) {
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") { // a proxy's form, or "*"
		uri = r.URL.RequestURI()
	}
	bases := []string{strings.TrimRight(h.in.opt.URL, "/"), "https://" + r.Host}
	if r.TLS == nil {
		bases = append(bases, "http://"+r.Host)
	}
	for _, b := range bases {
		if u := b + uri; b != "" && !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

func refuseMethod(w http.ResponseWriter, allow []string) {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	p := guard.Describe(fault.New(fault.Invalid, "method.not_allowed", "this path does not have that method").
		WithHint("use one of those in Allow").With("allow", allow))
	p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	p.Write(w)
}
