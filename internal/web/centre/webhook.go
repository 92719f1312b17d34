package centre

import (
	"net/http"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/publish"
)

const webhooks = subscriptions + "/webhooks"

// webhookForm is the form to subscribe a webhook.
func webhookForm() *notice.Form {
	return &notice.Form{Title: "Have a webhook called", Action: webhooks, URL: true, Button: "Subscribe the webhook",
		Text: []string{"The address is called at once with an event that it has to answer, so that nobody subscribes an address that isn't theirs; how is in the documentation of sub-processors. Then you are shown the secret of the signatures, once.",
			"The address is kept sealed, for this alone, until you unsubscribe: then it is gone."},
		Lists: []notice.Choice{{Name: "list", Value: "sub_processors", Label: "sub-processors", Ticked: true}, {Name: "list", Value: "notices", Label: "the privacy notice"}}}
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
		d.refuse(w, err, webhookForm())
		return
	}
	d.show(w, http.StatusOK, notice.Plain{Title: "The webhook is subscribed", Text: []string{"Keep these now: they are shown this once. With the secret you check that an event is ours; each event has the address that ends the subscription, too."},
		Values: []notice.Choice{{Label: "Subscription", Value: h.ID}, {Label: "Secret", Value: h.Secret}, {Label: "To unsubscribe", Value: h.End}}})
}
