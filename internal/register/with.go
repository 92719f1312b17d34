package register

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// With returns a register of what r and more say; either may be nil. Its version is over both versions, so
// that a decision still pins all that it saw.
func (r *Register) With(more *Register) *Register {
	if r == nil {
		return more
	}
	if more == nil {
		return r
	}
	sum := sha256.Sum256([]byte(r.Version + "\n" + more.Version + "\n"))
	return &Register{
		Version: "sha256:" + hex.EncodeToString(sum[:]), Format: Format,
		Checks: slices.Concat(r.Checks, more.Checks), Contracts: slices.Concat(r.Contracts, more.Contracts), Assessments: slices.Concat(r.Assessments, more.Assessments),
		Attestations: slices.Concat(r.Attestations, more.Attestations), Enablements: slices.Concat(r.Enablements, more.Enablements),
		Announcements: slices.Concat(r.Announcements, more.Announcements), Objections: slices.Concat(r.Objections, more.Objections),
		Pins: slices.Concat(r.Pins, more.Pins), Pauses: slices.Concat(r.Pauses, more.Pauses), Cases: slices.Concat(r.Cases, more.Cases), Backups: slices.Concat(r.Backups, more.Backups),
		Askings: r.Askings.With(more.Askings),
	}
}
