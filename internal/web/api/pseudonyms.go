package api

import (
	"context"
	"net/http"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/tenant"
)

// addPseudonyms adds the call that says whom a recipient means.
func (a *API) addPseudonyms() {
	typed(a, operation{id: "resolve-pseudonym", method: http.MethodPost, path: "/api/v1/pseudonyms:resolve", tag: tagPeople,
		summary: "Say whom a recipient means by a pseudonym",
		doc: "Only here, in the region that made it. It is entered in the ledger before it answers, also when it answers no. " +
			"An erased person's pseudonym is nobody's: 404, as one that never was.",
		errors: []int{404}, fresh: true}, a.resolvePseudonym)
}

type resolveIn struct{ Body resolveBody }

type resolveBody struct {
	Recipient string `json:"recipient" maxLength:"128" doc:"the recipient's id in the programme"`
	Purpose   string `json:"purpose" maxLength:"128" doc:"the purpose of the flow that it came with"`
	Pseudonym string `json:"pseudonym" maxLength:"64" doc:"psn_…, as the recipient has it"`
	Reason    string `json:"reason" enum:"consent,legal-claims,rights-of-others,public-interest,request,security,fraud,correction" doc:"why; the first four hold for restricted persons, too"`
}

type resolvedOut struct{ Body resolvedBody }

type resolvedBody struct {
	Subject string  `json:"subject"`
	Ledger  refBody `json:"ledger"`
}

func (a *API) resolvePseudonym(ctx context.Context, c *tenant.Caller, in *resolveIn) (*resolvedOut, error) {
	name, err := id.ParsePseudonym(in.Body.Pseudonym)
	if err != nil {
		return nil, fault.New(fault.Invalid, "pseudonym.malformed", "pseudonym is psn_ and 26 characters")
	}
	r, err := a.service.Reidentify(ctx, c, ReidentifyRequest{Recipient: in.Body.Recipient, Purpose: in.Body.Purpose, Pseudonym: name, Reason: in.Body.Reason})
	if err != nil {
		return nil, err
	}
	return &resolvedOut{resolvedBody{r.Subject.String(), refOf(r.Ledger)}}, nil
}
