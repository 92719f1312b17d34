package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
)

// addPeople adds the calls by which a person is found, shown and erased.
func (a *API) addPeople() {
	a.raw(operation{id: "find-subject", method: http.MethodPost, path: "/api/v1/subjects:find", tag: tagPeople, body: findBody{}, answer: foundBody{},
		summary: "Find a person by identifiers",
		doc:     "Identifiers go into the body so that they stay out of addresses and their logs. A person who was erased is not found.",
		errors:  []int{404, 409}, fresh: true}, a.find)
	a.raw(operation{id: "erase-subject", method: http.MethodPost, path: "/api/v1/subjects/{subject}:erase", tag: tagPeople, body: eraseBody{}, optional: true, answer: receiptBody{},
		summary: "Erase a person",
		doc: "When it answers, no read and no export brings the person back, nor does a copy of the store from before once unrecoverable_by has passed. Calling it again gives the same receipt with already. " +
			"A legal hold keeps a person: 409 hold.in_force.",
		errors: []int{404, 409}}, a.erase)
	typed(a, operation{id: "get-subject", method: http.MethodGet, path: "/api/v1/subjects/{subject}", tag: tagPeople,
		summary: "Show what a person is known by",
		doc:     "Identifiers, states, consents, counts by kind, and the current traits. Traits of a restricted person are shown for a purpose of GDPR art. 18(2) only.",
		errors:  []int{404, 410}}, a.show)
}

func (a *API) find(w http.ResponseWriter, r *http.Request, c *call) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var in findBody
	if err := decode(body, &in); err != nil {
		return err
	}
	ids := make([]Identifier, len(in.Identifiers))
	for i, ident := range in.Identifiers {
		ids[i] = Identifier(ident)
	}
	if err := checkIdentifiers(ids); err != nil {
		return err
	}
	f, err := a.service.Find(r.Context(), c.caller, ids)
	if err != nil {
		return hintTypes(err, ids)
	}
	b := append(make([]byte, 0, 64), `{"subject":"`...)
	b = append(append(b, f.Subject.String()...), '"')
	if len(f.Claimed) > 0 {
		b = append(b, `,"claimed":`...)
		b = appendTexts(b, subjectTexts(f.Claimed))
	}
	return answer(w, http.StatusOK, append(b, "}\n"...))
}

func (a *API) erase(w http.ResponseWriter, r *http.Request, c *call) error {
	s, err := parseSubject(c.subject)
	if err != nil {
		return err
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var in eraseBody
	if len(body) > 0 {
		if err := decode(body, &in); err != nil {
			return err
		}
	}
	if err := checkReason(in.Reason); err != nil {
		return err
	}
	e, err := a.service.Erase(r.Context(), c.caller, s, EraseRequest(in))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, appendReceipt(make([]byte, 0, 320), e))
}

// appendReceipt appends a receiptBody.
func appendReceipt(b []byte, e Receipt) []byte {
	b = appendString(append(b, `{"receipt":`...), e.Receipt)
	b = appendTime(append(b, `,"erased_at":`...), e.ErasedAt)
	b = appendTime(append(b, `,"unrecoverable_by":`...), e.UnrecoverableBy)
	b = strconv.AppendInt(append(b, `,"records":`...), e.Records, 10)
	b = appendString(append(b, `,"ledger":{"entry":`...), e.Ledger.Entry.String())
	b = append(b, `,"index":`...)
	b = strconv.AppendInt(b, e.Ledger.Index, 10)
	if b = append(b, '}'); e.Already {
		b = append(b, `,"already":true`...)
	}
	return append(b, "}\n"...)
}

type showIn struct {
	Subject string `path:"subject" example:"sub_abcdefghijklmnopqrst" doc:"the person's id, from :find"`
	For     string `header:"Domicile-Purpose" doc:"the purpose of the programme that people are read for: categories that it may use, of nobody who refuses it; needed where the tenant's settings say so"`
	Purpose string `query:"purpose" enum:"consent,legal-claims,rights-of-others,public-interest" doc:"for the traits of restricted persons, GDPR art. 18(2)"`
}

type subjectOut struct{ Body subjectBody }

func (a *API) show(ctx context.Context, c *tenant.Caller, in *showIn) (*subjectOut, error) {
	s, err := parseSubject(in.Subject)
	if err != nil {
		return nil, err
	}
	v, err := a.service.Profile(ctx, c.Reading(in.For), s, in.Purpose)
	if err != nil {
		return nil, err
	}
	return &subjectOut{subjectOf(v)}, nil
}

// subjectOf is v over the wire.
func subjectOf(v SubjectView) subjectBody {
	b := subjectBody{Subject: v.Subject.String(), Members: subjectTexts(v.Members), States: list(v.States), HoldUntil: wireTime(v.HoldUntil), Reasons: v.Reasons,
		Counts: v.Counts, CreatedAt: v.CreatedAt.UTC(), Consents: saysOf(v.Says), Said: saysOf(v.Said), Origins: originsOf(v.Origins), Identifiers: identifiersOf(v.Identifiers), Refused: refusedOf(v.Refused)}
	if b.Counts == nil {
		b.Counts = map[string]int64{}
	}
	if b.Traits = traitsOf(v.Traits); v.Traits == nil {
		b.TraitsWithheld = "restricted"
	}
	return b
}

func subjectTexts(ids []id.Subject) []string {
	texts := make([]string, len(ids))
	for i, s := range ids {
		texts[i] = s.String()
	}
	return texts
}

// list is s, and [] where s is nil.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// wireTime is t in UTC; nil where there is none.
func wireTime(t *time.Time) *time.Time {
	if t == nil || t.IsZero() {
		return nil
	}
	u := t.UTC()
	return &u
}
