package api

import (
	"context"
	"net/http"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
	"domicile.dev/internal/publish"
	"domicile.dev/internal/subprocessor"
	"domicile.dev/internal/tenant"
)

// Publisher keeps what a region made public.
type Publisher interface {
	Versions(ctx context.Context) ([]publish.Version, error)
	Publish(ctx context.Context, c *tenant.Caller, effective programme.Date) (publish.Published, error)
	ToldOf(ctx context.Context, c *tenant.Caller, version string) (publish.Told, error)
	List(ctx context.Context, c *tenant.Caller) ([]publish.Listed, error)
	Object(ctx context.Context, c *tenant.Caller, recipient string) (id.Entry, error)
	WithdrawObjection(ctx context.Context, c *tenant.Caller, recipient string) (id.Entry, error)
	ListObjections(ctx context.Context, c *tenant.Caller) ([]publish.Objected, error)
	Settle(ctx context.Context, c *tenant.Caller, objection, outcome, reason string) (publish.Objected, error)
	AddWebhook(ctx context.Context, c *tenant.Caller, url string, lists uint8) (publish.Hook, error)
	Webhooks(ctx context.Context, c *tenant.Caller) ([]publish.Hook, error)
	EndWebhook(ctx context.Context, c *tenant.Caller, id string) error
}

const tagPublish = "Notice and sub-processors"

// addPublish adds the calls about what is published.
func (a *API) addPublish() {
	if a.opt.Publisher == nil {
		return
	}
	call := func(method, path, id, summary, doc string, errors ...int) operation {
		return operation{id: id, method: method, path: path, tag: tagPublish, summary: summary, doc: doc, errors: errors}
	}
	managed := func(o operation) operation { o.who = managers; return o }
	get, post := http.MethodGet, http.MethodPost
	typed(a, managed(call(get, "/api/v1/notice", "list-notice-versions", "List what was published", "The oldest first, with what changed, what of it is material, and which consents have to be asked for again.")), a.noticeVersions)
	typed(a, managed(call(post, "/api/v1/notice:publish", "publish-notice", "Publish the running programme's notice and list of sub-processors", "A material change is public for the advance notice that the programme names before it holds. Subscribers are told. For the operator.", 403, 409)), a.publishNotice)
	typed(a, managed(call(get, "/api/v1/notice/{version}/told", "get-notice-told", "See who was told of a version", "Subscriptions by their random ids, never by address. For the operator.", 403, 404)), a.noticeTold)
	typed(a, managed(call(get, "/api/v1/sub-processors", "list-sub-processors", "List sub-processors that were announced", "With the last day to object, and whether the caller does.")), a.subProcessors)
	typed(a, managed(call(get, "/api/v1/objections", "list-objections", "List objections to sub-processors", "The caller's own, to the operator everybody's, with those that ended. One that nobody settled in time holds its flows and is overdue.")), a.objections)
	typed(a, managed(call(post, "/api/v1/objections/{id}:settle", "settle-objection", "Settle an objection", "Lifted: flows start for the tenant. Kept: they stay held, and it isn't overdue. For the operator.", 403, 404, 409)), a.settleObjection)
	typed(a, call(post, "/api/v1/sub-processors/{id}:object", "object-to-sub-processor", "Object to a sub-processor", "Until the last day to do so. Nothing of the caller's flows to it from now on.", 404, 409), a.objectTo((Publisher).Object))
	typed(a, call(post, "/api/v1/sub-processors/{id}:withdraw-objection", "withdraw-objection", "Withdraw an objection", "At any time.", 404, 409), a.objectTo((Publisher).WithdrawObjection))
	made := call(post, "/api/v1/subscriptions", "create-subscription", "Have a webhook called when something is published",
		`Signed by Standard Webhooks. First the address gets the event subscription.verify, and has to answer 200 with {"challenge": data.challenge}; 422 otherwise.`, 409, 422)
	made.status, made.secrets = http.StatusCreated, true
	typed(a, made, a.createSubscription)
	typed(a, call(get, "/api/v1/subscriptions", "list-subscriptions", "List the webhooks that are called", "Of the caller."), a.subscriptions)
	typed(a, call(post, "/api/v1/subscriptions/{id}:end", "end-subscription", "End a webhook", "Its key is destroyed.", 404), a.endSubscription)
}

type (
	noticeChange      notice.Change
	listChange        subprocessor.Change
	noticeVersionBody struct {
		Version     string         `json:"version" example:"v3"`
		Notice      string         `json:"notice" doc:"id of the notice, as in its address"`
		Programme   string         `json:"programme"`
		PublishedAt time.Time      `json:"published_at"`
		Effective   string         `json:"effective" doc:"first day on which the notice holds"`
		Adopted     bool           `json:"adopted,omitempty" doc:"it was public before this region kept versions"`
		NewNotice   bool           `json:"new_notice"`
		NewList     bool           `json:"new_list"`
		Material    bool           `json:"material"`
		Summary     string         `json:"summary"`
		Changes     []noticeChange `json:"changes,omitempty"`
		List        []listChange   `json:"list,omitempty"`
		AskAgain    []string       `json:"ask_again,omitempty" doc:"purposes whose consents have to be asked for again"`
		Languages   []string       `json:"languages,omitempty" doc:"those that it is in, its own first"`
		Retold      []string       `json:"retold,omitempty" doc:"those whose translation is another than the version's before, or there or not"`
		Told        bool           `json:"told" doc:"all messages about it are done"`
		Ledger      enteredBody    `json:"ledger"`
	}
	noticeVersionsBody struct {
		Versions   []noticeVersionBody `json:"versions" nullable:"false"`
		Consents   []consentCountBody  `json:"consents,omitempty" doc:"how many stand: a tenant's own, to the operator everybody's"`
		ConsentsAt *time.Time          `json:"consents_at,omitempty" doc:"when they were counted"`
	}
	publishBody struct {
		Effective string `json:"effective,omitempty" format:"date" maxLength:"10" doc:"first day on which the notice holds; today, or the end of the advance notice, when it is left out"`
	}
	publishedBody struct {
		noticeVersionBody
		Queued queuedBody `json:"queued" doc:"messages"`
	}
	queuedBody struct {
		Mail     int `json:"mail"`
		Webhooks int `json:"webhooks"`
	}
	toldMessageBody struct {
		Subscription string     `json:"subscription"`
		Channel      string     `json:"channel" enum:"mail,webhook"`
		State        string     `json:"state" enum:"queued,sent,failed,dropped"`
		Attempts     int        `json:"attempts"`
		Code         string     `json:"code,omitempty" doc:"why the last attempt failed"`
		QueuedAt     time.Time  `json:"queued_at"`
		DoneAt       *time.Time `json:"done_at,omitempty"`
		Digest       string     `json:"digest,omitempty" doc:"over what it was sent to, as it is sealed"`
	}
	toldBody struct {
		Version  string            `json:"version"`
		Complete bool              `json:"complete" doc:"all are done, and the ledger has an entry notice.told with this digest"`
		CanMail  bool              `json:"can_mail" doc:"false: mail waits, since none is configured"`
		Digest   string            `json:"digest" doc:"over whom, as the ledger has it"`
		Times    string            `json:"times" doc:"over when"`
		Ledger   *enteredBody      `json:"ledger,omitempty" doc:"the entry notice.told"`
		Messages []toldMessageBody `json:"messages" nullable:"false"`
	}
	listedBody struct {
		ID         string     `json:"id"`
		Name       string     `json:"name,omitempty"`
		State      string     `json:"state" enum:"announced,listed,withdrawn" doc:"announced while customers may object"`
		Announced  string     `json:"announced"`
		Until      string     `json:"object_until"`
		Withdrawn  string     `json:"withdrawn,omitempty"`
		Version    string     `json:"version"`
		ObjectedAt *time.Time `json:"objected_at,omitempty" doc:"of the caller's objection that stands"`
	}
	listedAllBody struct {
		SubProcessors []listedBody `json:"sub_processors" nullable:"false"`
	}
	objectionBody struct {
		ID     string      `json:"id"`
		Ledger enteredBody `json:"ledger"`
	}
	newSubscriptionBody struct {
		URL   string   `json:"url" maxLength:"2048"`
		Lists []string `json:"lists" minItems:"1" maxItems:"2" enum:"notices,sub_processors"`
	}
	subscriptionBody struct {
		ID     string       `json:"id"`
		URL    string       `json:"url"`
		Lists  []string     `json:"lists"`
		MadeAt time.Time    `json:"made_at"`
		Secret string       `json:"secret,omitempty" doc:"of the signatures, whsec_…; shown this once"`
		Ledger *enteredBody `json:"ledger,omitempty"`
	}
	subscriptionsBody struct {
		Subscriptions []subscriptionBody `json:"subscriptions" nullable:"false"`
	}
	endedBody struct {
		ID string `json:"id"`
	}
)

func versionOf(v *publish.Version) noticeVersionBody {
	b := noticeVersionBody{Version: v.Name(), Notice: v.Notice, Programme: v.Programme, PublishedAt: v.PublishedAt, Effective: string(v.Effective.Date()), Adopted: v.Adopted, NewNotice: v.NewNotice,
		NewList: v.NewList, Material: v.Material, Summary: v.Summary, AskAgain: v.AskAgain, Languages: v.Languages, Retold: v.Retold, Told: v.Told, Ledger: enteredBody{v.Entry}}
	for _, c := range v.Changes {
		b.Changes = append(b.Changes, noticeChange(c))
	}
	for _, c := range v.List {
		b.List = append(b.List, listChange(c))
	}
	return b
}

func (a *API) noticeVersions(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[noticeVersionsBody], error) {
	all, err := a.opt.Publisher.Versions(ctx)
	if err != nil {
		return nil, err
	}
	b := noticeVersionsBody{Versions: make([]noticeVersionBody, len(all))}
	for i := range all {
		b.Versions[i] = versionOf(&all[i])
	}
	if err := a.consentCounts(ctx, c, &b); err != nil {
		return nil, err
	}
	return &out[noticeVersionsBody]{b}, nil
}

type publishIn struct{ Body publishBody }

func (a *API) publishNotice(ctx context.Context, c *tenant.Caller, in *publishIn) (*out[publishedBody], error) {
	p, err := a.opt.Publisher.Publish(ctx, c, programme.Date(in.Body.Effective))
	if err != nil {
		return nil, err
	}
	b := publishedBody{noticeVersionBody: versionOf(&p.Version)}
	b.Queued = queuedBody{p.Mail, p.Webhooks}
	return &out[publishedBody]{b}, nil
}

type versionIn struct {
	Version string `path:"version"`
}

func (a *API) noticeTold(ctx context.Context, c *tenant.Caller, in *versionIn) (*out[toldBody], error) {
	t, err := a.opt.Publisher.ToldOf(ctx, c, in.Version)
	if err != nil {
		return nil, err
	}
	b := toldBody{Version: t.Version, Complete: t.Complete, CanMail: t.CanMail, Digest: t.Digest, Times: t.Times, Messages: make([]toldMessageBody, len(t.Messages))}
	if t.Entry != "" {
		b.Ledger = &enteredBody{t.Entry}
	}
	for i, m := range t.Messages {
		b.Messages[i] = toldMessageBody{m.Subscription, m.Channel, m.State, m.Attempts, m.Code, m.QueuedAt, wireTime(&m.DoneAt), m.Digest}
	}
	return &out[toldBody]{b}, nil
}

func (a *API) subProcessors(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[listedAllBody], error) {
	all, err := a.opt.Publisher.List(ctx, c)
	if err != nil {
		return nil, err
	}
	b := listedAllBody{SubProcessors: make([]listedBody, len(all))}
	for i, l := range all {
		b.SubProcessors[i] = listedBody{l.Recipient, l.Name, l.State, string(l.Announced), string(l.Until), string(l.Withdrawn), l.Version, wireTime(&l.Objected)}
	}
	return &out[listedAllBody]{b}, nil
}

type recipientIn struct {
	ID string `path:"id"`
}

func (a *API) objectTo(do func(Publisher, context.Context, *tenant.Caller, string) (id.Entry, error)) func(context.Context, *tenant.Caller, *recipientIn) (*out[objectionBody], error) {
	return func(ctx context.Context, c *tenant.Caller, in *recipientIn) (*out[objectionBody], error) {
		e, err := do(a.opt.Publisher, ctx, c, in.ID)
		if err != nil {
			return nil, err
		}
		return &out[objectionBody]{objectionBody{in.ID, enteredBody{e.String()}}}, nil
	}
}

type newSubscriptionIn struct{ Body newSubscriptionBody }

func subscriptionOf(h publish.Hook) subscriptionBody {
	b := subscriptionBody{ID: h.ID, URL: h.URL, Lists: publish.ListNames(h.Lists), MadeAt: h.MadeAt, Secret: h.Secret}
	if h.Entry != "" {
		b.Ledger = &enteredBody{h.Entry}
	}
	return b
}

func (a *API) createSubscription(ctx context.Context, c *tenant.Caller, in *newSubscriptionIn) (*out[subscriptionBody], error) {
	lists, err := publish.ParseLists(in.Body.Lists)
	if err != nil {
		return nil, err
	}
	h, err := a.opt.Publisher.AddWebhook(ctx, c, in.Body.URL, lists)
	if err != nil {
		return nil, err
	}
	return &out[subscriptionBody]{subscriptionOf(h)}, nil
}

func (a *API) subscriptions(ctx context.Context, c *tenant.Caller, _ *struct{}) (*out[subscriptionsBody], error) {
	all, err := a.opt.Publisher.Webhooks(ctx, c)
	if err != nil {
		return nil, err
	}
	b := subscriptionsBody{Subscriptions: make([]subscriptionBody, len(all))}
	for i, h := range all {
		b.Subscriptions[i] = subscriptionOf(h)
	}
	return &out[subscriptionsBody]{b}, nil
}

func (a *API) endSubscription(ctx context.Context, c *tenant.Caller, in *recipientIn) (*out[endedBody], error) {
	if err := a.opt.Publisher.EndWebhook(ctx, c, in.ID); err != nil {
		return nil, err
	}
	return &out[endedBody]{endedBody{in.ID}}, nil
}
