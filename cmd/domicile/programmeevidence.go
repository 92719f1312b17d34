package main

import (
	"os"

	"domicile.dev/internal/fault"
)

type programmeEvidenceCmd struct {
	Dir string `arg:"" optional:"" help:"The programme's folder; the built-in example when it is left out."`
	Set string `required:"" help:"The set of requirements." placeholder:"ID"`
	Out string `short:"o" help:"File to write. Default: stdout." placeholder:"FILE"`
}

// Help is shown by kong.
func (programmeEvidenceCmd) Help() string {
	return `One JSON file: the certificate, the hash of the programme, and each requirement with its state, its owner, the
controls and documents that serve it, the articles of law that the same evidence serves, and what reviewers found.
The same programme gives the same bytes, so that two years' files compare; domicile programme diff says what differs.

  domicile programme evidence --set cbpr --out cbpr-2026.json ./programme`
}

// Run writes the pack.
func (c *programmeEvidenceCmd) Run(e *env) error {
	p, err := openProgramme(c.Dir)
	if err != nil {
		return faulty("programme", err)
	}
	pack := p.Evidence(c.Set)
	if pack == nil {
		var all []string
		for _, s := range p.RequirementSets {
			all = append(all, s.ID)
		}
		return fault.New(fault.NotFound, "programme.no_such_set", "the programme has no such set of requirements").With("sets", all)
	}
	if c.Out == "" {
		return printJSON(e.out, pack)
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fault.New(fault.Invalid, "evidence.unwritable", "the file can't be made: a pack is written once").Because(err)
	}
	err = printJSON(f, pack)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}
