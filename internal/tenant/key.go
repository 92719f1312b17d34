package tenant

import (
	"crypto/sha256"
	"strings"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
)

// Credentials read kind_region_random: a stranger can tell what one is for, where it belongs, and
// nothing else. The random part is 32 bytes in base32, 52 characters.
const (
	kindKey      = "dwk"
	kindToken    = "dtk"
	kindOperator = "dok"

	randomBytes  = 32
	maxKeyLength = 128
)

type hash = [sha256.Size]byte

// newKey returns a new credential and what is stored of it.
func newKey(kind, region string) (key string, h []byte) {
	key = id.New(kind+"_"+region, randomBytes)
	sum := sha256.Sum256([]byte(key))
	return key, sum[:]
}

// split takes a credential apart; ok is false when it cannot be one.
func split(credential string) (kind, region string, ok bool) {
	if len(credential) > maxKeyLength {
		return "", "", false
	}
	kind, rest, _ := strings.Cut(credential, "_")
	region, random, _ := strings.Cut(rest, "_")
	switch {
	case kind != kindKey && kind != kindToken && kind != kindOperator:
		return "", "", false
	case region == "" || len(random) < 52:
		return "", "", false
	}
	return kind, region, true
}

// place checks that credential is of one of the kinds and of this region, and returns its hash.
func (s *Service) place(credential string, kinds ...string) (h hash, kind string, err error) {
	kind, region, ok := split(credential)
	if !ok {
		return h, "", unknown()
	}
	if region != s.opt.Region {
		if err := s.elsewhere("credential", region); err != nil {
			return h, "", err
		}
		return h, "", unknown()
	}
	for _, k := range kinds {
		if k == kind {
			return sha256.Sum256([]byte(credential)), kind, nil
		}
	}
	return h, "", fault.New(fault.Unauthenticated, "credential.wrong_kind", "this credential is for something else").
		WithHint("dwk_… keys bring data, dtk_… tokens ask for it, the dok_… token manages tenants")
}

// elsewhere is the fault of what belongs to another region, nil when nobody knows that region.
func (s *Service) elsewhere(what, region string) error {
	url, known := s.opt.Peers[region]
	if !known || region == s.opt.Region {
		return nil
	}
	return fault.New(fault.WrongRegion, "residency.wrong_region", "this %s belongs to region %s, this is %s", what, region, s.opt.Region).
		WithHint("send to the address in url").With("url", url).With("region", region)
}

func unknown() error {
	return fault.New(fault.Unauthenticated, "credential.unknown", "the credential is not known here")
}
