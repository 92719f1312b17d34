package centre

import (
	"context"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/web/guard"
)

// Subscriptions is what the Desk does.
type Subscriptions interface {
	Subscribe(ctx context.Context, address plain.Bytes, lists uint8) error
	SubscribeWebhook(ctx context.Context, address string, lists uint8) (publish.Hook, error)
	Confirm(ctx context.Context, token string) error
	End(ctx context.Context, token string) error
	Known(token string) bool
}

var _ Subscriptions = (*publish.Service)(nil)

// Desk takes subscriptions, in pages that work without JavaScript. A GET changes nothing, so that what
// looks at links in mail neither confirms nor ends anything.
type Desk struct {
	s     Subscriptions
	frame *notice.Document
	csp   string
	mux   *http.ServeMux
	limit *limiter
	hosts *limiter // of webhooks
	cross *http.CrossOriginProtection
	peer  func(*http.Request) string
}

const (
	subscriptions = "/privacy/subscriptions"
	maxFormBytes  = 8 << 10
)

// NewDesk returns the Desk. peer tells clients apart, "" for one that isn't known.
func NewDesk(s Subscriptions, p *programme.Programme, peer func(*http.Request) string) *Desk {
	d := &Desk{s: s, frame: notice.Regions(p), csp: csp(), mux: http.NewServeMux(), limit: newLimiter(), hosts: newLimiter(), cross: http.NewCrossOriginProtection(), peer: peer}
	d.mux.HandleFunc("GET "+subscriptions, d.page(notice.Plain{Title: "Be told of changes", Form: subscribeForm(), Also: webhookForm()}))
	d.mux.HandleFunc("POST "+subscriptions, d.subscribe)
	d.mux.HandleFunc("POST "+webhooks, d.subscribeWebhook)
	d.mux.HandleFunc("GET "+webhooks, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, subscriptions, http.StatusSeeOther) })
	d.mux.HandleFunc("GET "+subscriptions+"/asked", d.page(notice.Plain{Title: "One more step", Text: []string{
		"If that is an address that can be written to, a message is on its way to it. It holds a link; nothing is sent before that is followed and confirmed."}}))
	d.mux.HandleFunc("GET "+subscriptions+"/confirmed", d.page(notice.Plain{Title: "Confirmed", Text: []string{"You will be told of changes. Each message says how to end that."}}))
	d.mux.HandleFunc("GET "+subscriptions+"/confirm/{token}", d.confirmPage)
	d.mux.HandleFunc("POST "+subscriptions+"/confirm/{token}", d.confirm)
	d.mux.HandleFunc("GET "+subscriptions+"/end/{token}", d.endPage)
	d.mux.HandleFunc("POST "+subscriptions+"/end/{token}", d.end)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		guard.Fail(w, fault.New(fault.NotFound, "privacy.unknown_page", "the privacy centre has no such page").WithHint("GET /privacy/ lists its pages"))
	})
	return d
}

// subscribeForm is the form to subscribe.
func subscribeForm() *notice.Form {
	return &notice.Form{Title: "Be told of changes by e-mail", Action: subscriptions, Email: true, Button: "Subscribe",
		Text:  []string{"The address is kept sealed, for this alone, until you unsubscribe: then it is gone."},
		Lists: []notice.Choice{{Name: "list", Value: "sub_processors", Label: "sub-processors", Ticked: true}, {Name: "list", Value: "notices", Label: "the privacy notice"}}}
}

// ServeHTTP answers.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard.LimitBody(w, r, maxFormBytes)
	d.mux.ServeHTTP(w, r)
}

// show writes a page.
func (d *Desk) show(w http.ResponseWriter, status int, p notice.Plain) {
	b, err := p.Page(d.frame, links)
	if err != nil {
		guard.Fail(w, err)
		return
	}
	w.Header().Set("Content-Type", typeHTML)
	w.Header().Set("Content-Security-Policy", d.csp)
	w.WriteHeader(status)
	_, err = w.Write(b)
	guard.Note(w, err)
}

func (d *Desk) page(p notice.Plain) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { d.show(w, http.StatusOK, p) }
}

// refuse answers a fault as a page, with the form again where there is one.
func (d *Desk) refuse(w http.ResponseWriter, err error, form *notice.Form) {
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		guard.Note(w, err)
		d.show(w, http.StatusServiceUnavailable, notice.Plain{Title: "Not at the moment", Text: []string{"This can't be done right now. Please try again later."}})
		return
	}
	text := []string{capital(f.Public) + "."}
	if f.Hint != "" {
		text = append(text, capital(f.Hint)+".")
	}
	d.show(w, guard.Describe(err).Status, notice.Plain{Title: "That didn't work", Text: text, Form: form})
}

func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// fromHere refuses a form that another site's page sent.
func (d *Desk) fromHere(r *http.Request) error {
	if err := d.cross.Check(r); err != nil {
		return fault.New(fault.Forbidden, "form.cross_site", "this form was sent from another site").WithHint("open the page here and send it again")
	}
	return nil
}

func (d *Desk) subscribe(w http.ResponseWriter, r *http.Request) {
	lists, err := d.wanted(r)
	if err == nil {
		err = d.s.Subscribe(r.Context(), plain.New([]byte(r.PostForm.Get("address"))), lists)
	}
	if err != nil {
		d.refuse(w, err, subscribeForm())
		return
	}
	http.Redirect(w, r, subscriptions+"/asked", http.StatusSeeOther)
}

// wanted reads the lists of a form that may be sent.
func (d *Desk) wanted(r *http.Request) (lists uint8, err error) {
	if err := d.fromHere(r); err != nil {
		return 0, err
	}
	if !d.limit.allow(d.peer(r)) {
		return 0, tooOften()
	}
	if r.ParseForm() != nil {
		return 0, fault.New(fault.Invalid, "form.bad", "the form can't be read")
	}
	return publish.ParseLists(r.PostForm["list"])
}

func tooOften() error {
	return fault.New(fault.RateLimited, "subscription.too_often", "that was too often").WithHint("try again in a quarter of an hour")
}

var badLink = notice.Plain{Title: "This link doesn't work any more", Text: []string{"It may be too old, or what it was for is done."}}

func (d *Desk) confirmPage(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if !d.s.Known(token) {
		d.show(w, http.StatusNotFound, badLink)
		return
	}
	d.show(w, http.StatusOK, notice.Plain{Title: "Confirm your subscription", Form: &notice.Form{Title: "Is this address yours?", Text: []string{"Press the button, and changes will be sent to it."},
		Action: subscriptions + "/confirm/" + token, Button: "Confirm"}})
}

func (d *Desk) confirm(w http.ResponseWriter, r *http.Request) {
	err := d.fromHere(r)
	if err == nil {
		err = d.s.Confirm(r.Context(), r.PathValue("token"))
	}
	if err != nil {
		d.refuse(w, err, nil)
		return
	}
	http.Redirect(w, r, subscriptions+"/confirmed", http.StatusSeeOther)
}

func (d *Desk) endPage(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if !d.s.Known(token) {
		d.show(w, http.StatusNotFound, badLink)
		return
	}
	d.show(w, http.StatusOK, notice.Plain{Title: "Unsubscribe", Form: &notice.Form{Title: "Send nothing more?", Text: []string{"The address will be gone from here."},
		Action: subscriptions + "/end/" + token, Button: "Unsubscribe", Hidden: []notice.Choice{{Name: "List-Unsubscribe", Value: "One-Click"}}}})
}

// end is RFC 8058's one click: no cookie, no confirmation, no redirect, and the same answer again. The
// body says that it is meant.
func (d *Desk) end(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("List-Unsubscribe") != "One-Click" { // a form, or multipart
		d.refuse(w, fault.New(fault.Invalid, "subscription.not_one_click", "the request doesn't say List-Unsubscribe=One-Click"), nil)
		return
	}
	if err := d.s.End(r.Context(), r.PathValue("token")); err != nil {
		d.refuse(w, err, nil)
		return
	}
	d.show(w, http.StatusOK, notice.Plain{Title: "Unsubscribed", Text: []string{"Nothing more is sent, and the address is gone."}})
}
