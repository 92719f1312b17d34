package main

import (
	"io"
	"strings"

	"domicile.dev/internal/fault"
)

type reidentifyCmd struct {
	node
	Recipient string `required:"" help:"The recipient's id in the programme." placeholder:"ID"`
	Purpose   string `required:"" help:"The purpose of the flow that the pseudonym came with." placeholder:"ID"`
	Reason    string `required:"" help:"Why: consent, legal-claims, rights-of-others, public-interest, request, security, fraud or correction." placeholder:"R"`
}

// Help is shown by kong.
func (reidentifyCmd) Help() string {
	return `The pseudonym comes on stdin. The region alone can answer, and enters in the ledger that it did:

  echo psn_… | domicile subject reidentify --recipient sp-13 --purpose personalization_optimization --reason request`
}

// Run prints whom a recipient means.
func (c *reidentifyCmd) Run(e *env) error {
	cl, err := c.tenant()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(e.in, maxStdin))
	name := strings.TrimSpace(string(b))
	if err != nil || name == "" {
		return fault.New(fault.Invalid, "stdin.empty", "there is no pseudonym on stdin").WithHint("as in: echo psn_… | domicile subject reidentify …").Because(err)
	}
	r, err := cl.Reidentify(e.ctx, c.Recipient, c.Purpose, name, c.Reason)
	if err != nil || e.json {
		return firstOf(err, func() error { return e.printJSON(r) })
	}
	return e.table([]string{r.Subject})
}
