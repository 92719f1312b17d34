package centre

import (
	"context"
	"net/http"
	"slices"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/plain"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/web/guard"
)

// Subscriptions is what the Desk does.
type Subscriptions interface {
	Subscribe(ctx context.Context, address plain.Bytes, lists uint8, language string) error
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
	frame func(lang string) *notice.Document
	spoken
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
	frame := cached(func(v variant) (*notice.Document, error) { return notice.Regions(p.In(v.lang)), nil })
	d := &Desk{s: s, csp: csp(), mux: http.NewServeMux(), limit: newLimiter(), hosts: newLimiter(), cross: http.NewCrossOriginProtection(), peer: peer, spoken: spokenOf(p),
		frame: func(lang string) *notice.Document {
			x, _ := frame(variant{lang: lang}) // making it doesn't fail
			return x
		}}
	d.mux.HandleFunc("GET "+subscriptions, d.page(func(v variant) notice.Plain {
		return notice.Plain{Title: phrase.Say(v.lang, "Be told of changes"), Form: subscribeForm(v), Also: webhookForm(v)}
	}))
	d.mux.HandleFunc("POST "+subscriptions, d.subscribe)
	d.mux.HandleFunc("POST "+webhooks, d.subscribeWebhook)
	d.mux.HandleFunc("GET "+webhooks, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, subscriptions, http.StatusSeeOther) })
	d.mux.HandleFunc("GET "+subscriptions+"/asked", d.page(func(v variant) notice.Plain {
		return plainly(v, "One more step", "If that is an address that can be written to, a message is on its way to it. It holds a link; nothing is sent before that is followed and confirmed.")
	}))
	d.mux.HandleFunc("GET "+subscriptions+"/confirmed", d.page(func(v variant) notice.Plain {
		return plainly(v, "Confirmed", "You will be told of changes. Each message says how to end that.")
	}))
	d.mux.HandleFunc("GET "+subscriptions+"/confirm/{token}", d.confirmPage)
	d.mux.HandleFunc("POST "+subscriptions+"/confirm/{token}", d.confirm)
	d.mux.HandleFunc("GET "+subscriptions+"/end/{token}", d.endPage)
	d.mux.HandleFunc("POST "+subscriptions+"/end/{token}", d.end)
	d.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
			w.Header().Set("Allow", "GET, HEAD, POST")
			http.Error(w, "only GET, HEAD and POST", http.StatusMethodNotAllowed)
			return
		}
		if !wantsHTML(r) {
			guard.Fail(w, errUnknown)
			return
		}
		d.show(w, r, http.StatusNotFound, func(v variant) notice.Plain {
			return plainly(v, unknownTitle, "The links at the top lead to what there is.")
		})
	})
	return d
}

// subscribeForm is the form to subscribe. Its mail is in the language of the page.
func subscribeForm(v variant) *notice.Form {
	say := func(text string) string { return phrase.Say(v.lang, text) }
	return &notice.Form{Title: say("Be told of changes by e-mail"), Action: notice.Into(subscriptions, v.keep), Email: true, Button: say("Subscribe"),
		Text:   []string{say("The address is kept sealed, for this alone, until you unsubscribe: then it is gone.")},
		Lists:  []notice.Choice{{Name: "list", Value: "sub_processors", Label: say("sub-processors"), Ticked: true}, {Name: "list", Value: "notices", Label: say("the privacy notice")}},
		Hidden: []notice.Choice{{Name: "language", Value: v.lang}}}
}

// plainly is a page of two phrases, a title and a text.
func plainly(v variant, title, text string) notice.Plain {
	return notice.Plain{Title: phrase.Say(v.lang, title), Text: []string{phrase.Say(v.lang, text)}}
}

// ServeHTTP answers.
func (d *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard.LimitBody(w, r, maxFormBytes)
	d.mux.ServeHTTP(w, r)
}

// show writes a page in the language that the request gets.
func (d *Desk) show(w http.ResponseWriter, r *http.Request, status int, of func(variant) notice.Plain) {
	v := d.chosen(r, d.all())
	var nav []notice.Link
	for _, l := range links {
		l.Name = phrase.Say(v.lang, l.Name)
		nav = append(nav, l)
	}
	f := notice.Frame{Nav: nav, Keep: v.keep}
	if r.Method == http.MethodGet { // what was posted has no address to come back to
		f.Path, f.Languages = r.URL.Path, d.all()
	}
	p := of(v)
	b, err := p.Page(d.frame(v.lang), f)
	if err != nil {
		guard.Fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeHTML)
	h.Set("Content-Language", v.lang)
	h.Set("Vary", "Accept-Language")
	h.Set("Content-Security-Policy", d.csp)
	w.WriteHeader(status)
	_, err = w.Write(b)
	guard.Note(w, err)
}

func (d *Desk) page(of func(variant) notice.Plain) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { d.show(w, r, http.StatusOK, of) }
}

// refuse answers a fault as a page, with the form again where there is one.
func (d *Desk) refuse(w http.ResponseWriter, r *http.Request, err error, form func(variant) *notice.Form) {
	f, ok := fault.As(err)
	if !ok || f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		guard.Note(w, err)
		d.show(w, r, http.StatusServiceUnavailable, func(v variant) notice.Plain {
			return plainly(v, "Not at the moment", "This can't be done right now. Please try again later.")
		})
		return
	}
	d.show(w, r, guard.Describe(err).Status, func(v variant) notice.Plain {
		p := plainly(v, "That didn't work", f.Public)
		if f.Hint != "" {
			p.Text = append(p.Text, phrase.Say(v.lang, f.Hint))
		}
		for i := range p.Text {
			p.Text[i] = capital(p.Text[i]) + "."
		}
		if form != nil {
			p.Form = form(v)
		}
		return p
	})
}

func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// onwards leads to a page that follows, in the language that was chosen.
func (d *Desk) onwards(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, notice.Into(path, d.chosen(r, d.all()).keep), http.StatusSeeOther)
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
		language := r.PostForm.Get("language")
		if !slices.Contains(d.all(), language) {
			language = d.chosen(r, d.all()).lang
		}
		err = d.s.Subscribe(r.Context(), plain.New([]byte(r.PostForm.Get("address"))), lists, language)
	}
	if err != nil {
		d.refuse(w, r, err, subscribeForm)
		return
	}
	d.onwards(w, r, subscriptions+"/asked")
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

func badLink(v variant) notice.Plain {
	return plainly(v, "This link doesn't work any more", "It may be too old, or what it was for is done.")
}

func (d *Desk) confirmPage(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if !d.s.Known(token) {
		d.show(w, r, http.StatusNotFound, badLink)
		return
	}
	d.show(w, r, http.StatusOK, func(v variant) notice.Plain {
		say := func(text string) string { return phrase.Say(v.lang, text) }
		return notice.Plain{Title: say("Confirm your subscription"), Form: &notice.Form{Title: say("Is this address yours?"), Text: []string{say("Press the button, and changes will be sent to it.")},
			Action: notice.Into(subscriptions+"/confirm/"+token, v.keep), Button: say("Confirm")}}
	})
}

func (d *Desk) confirm(w http.ResponseWriter, r *http.Request) {
	err := d.fromHere(r)
	if err == nil {
		err = d.s.Confirm(r.Context(), r.PathValue("token"))
	}
	if err != nil {
		d.refuse(w, r, err, nil)
		return
	}
	d.onwards(w, r, subscriptions+"/confirmed")
}

func (d *Desk) endPage(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if !d.s.Known(token) {
		d.show(w, r, http.StatusNotFound, badLink)
		return
	}
	d.show(w, r, http.StatusOK, func(v variant) notice.Plain {
		say := func(text string) string { return phrase.Say(v.lang, text) }
		return notice.Plain{Title: say("Unsubscribe"), Form: &notice.Form{Title: say("Send nothing more?"), Text: []string{say("The address will be gone from here.")},
			Action: notice.Into(subscriptions+"/end/"+token, v.keep), Button: say("Unsubscribe"), Hidden: []notice.Choice{{Name: "List-Unsubscribe", Value: "One-Click"}}}}
	})
}

// end is RFC 8058's one click: no cookie, no confirmation, no redirect, and the same answer again. The
// body says that it is meant.
func (d *Desk) end(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("List-Unsubscribe") != "One-Click" { // a form, or multipart
		d.refuse(w, r, fault.New(fault.Invalid, "subscription.not_one_click", "the request doesn't say List-Unsubscribe=One-Click"), nil)
		return
	}
	if err := d.s.End(r.Context(), r.PathValue("token")); err != nil {
		d.refuse(w, r, err, nil)
		return
	}
	d.show(w, r, http.StatusOK, func(v variant) notice.Plain {
		return plainly(v, "Unsubscribed", "Nothing more is sent, and the address is gone.")
	})
}
