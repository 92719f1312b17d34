package centre

import (
	"net/http"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/phrase"
	"domicile.dev/internal/publish"
)

const webhooks = subscriptions + "/webhooks"

// webhookForm is the form to subscribe a webhook.
func webhookForm(v variant) *notice.Form {
	say := func(text string) string { return phrase.Say(v.lang, text) }
	return &notice.Form{Title: say("Have a webhook called"), Action: notice.Into(webhooks, v.keep), URL: true, Button: say("Subscribe the webhook"),
		Text: []string{say("The address is called at once with an event that it has to answer, so that nobody subscribes an address that isn't theirs; how is in the documentation of sub-processors. Then you are shown the secret of the signatures, once."),
			say("The address is kept sealed, for this alone, until you unsubscribe: then it is gone.")},
		Lists: []notice.Choice{{Name: "list", Value: "sub_processors", Label: say("sub-processors"), Ticked: true}, {Name: "list", Value: "notices", Label: say("the privacy notice")}}}
}

// subscribeWebhook has the address challenged, and shows the secret. One client, and all of them for one host, may do so
// as often as for mail: nobody has this node knock at a door again and again.
func (d *Desk) subscribeWebhook(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	lists, err := d.wanted(r)
	address := r.PostFormValue("url")
	if host := publish.Host(address); err == nil && host != "" && !d.hosts.allow(host) {
		err = tooOften()
	}
	var h publish.Hook
	if err == nil {
		h, err = d.s.SubscribeWebhook(r.Context(), address, lists)
	}
	if err != nil {
		d.refuse(w, r, err, webhookForm)
		return
	}
	d.show(w, r, http.StatusOK, func(v variant) notice.Plain {
		p := plainly(v, "The webhook is subscribed", "Keep these now: they are shown this once. With the secret you check that an event is ours; each event has the address that ends the subscription, too.")
		p.Values = []notice.Choice{{Label: phrase.Say(v.lang, "Subscription"), Value: h.ID}, {Label: phrase.Say(v.lang, "Secret"), Value: h.Secret}, {Label: phrase.Say(v.lang, "To unsubscribe"), Value: h.End}}
		return p
	})
}
