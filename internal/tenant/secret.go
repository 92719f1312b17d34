package tenant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/term"
)

// Keys gives the key under which a source's secrets are sealed. It is the same on every node of the
// region and is derived from a key that no store holds.
type Keys interface {
	SourceKey(tenant, source string) *seal.Key
}

// Signed says whether requests to sources of adapter are signed with a secret that the vendor knows,
// too. Such a source is named in the request's path and has no key.
func Signed(adapter string) bool {
	switch adapter {
	case term.AdapterTwilio, term.AdapterSendGrid, term.AdapterWhatsApp:
		return true
	}
	return false
}

// Secrets are what requests to one source are checked with. They refuse to print.
type Secrets struct {
	// Secret is Twilio's AuthToken, SendGrid's public key or Meta's app secret.
	Secret string
	// VerifyToken is what Meta shows when a webhook is set up; "" for others.
	VerifyToken string
}

const hiddenSecret = "[secrets]"

// Format prints "[secrets]" for every verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hiddenSecret) }

// LogValue keeps the secrets out of slog.
func (Secrets) LogValue() slog.Value { return slog.StringValue(hiddenSecret) }

// MarshalJSON always fails.
func (Secrets) MarshalJSON() ([]byte, error) {
	return nil, errors.New("tenant: Secrets are never encoded")
}

// Hook is a source that webhooks come to, with the secrets that hold now: the newest first, then the
// one before while its grace lasts. A source that has a key instead has none.
type Hook struct {
	Source  *Source
	Secrets []Secrets
}

// hook is what a node knows of a source by its id.
type hook struct {
	source *Source
	opened
	oldEnds  time.Time
	disabled error
}

// opened are the secrets of one source; fault is set when they can't be read.
type opened struct {
	now, old Secrets
	fault    error
}

// Hook returns the source called sid, as the path of a webhook names it. It proves nothing of who
// asks. Faults: WrongRegion with the right address under "url", judged by the id alone; NotFound;
// Forbidden when the source or its tenant is disabled; Unavailable when the id isn't known and the
// store can't be asked, or when the secrets can't be read.
func (s *Service) Hook(sid string) (*Hook, error) {
	region, ok := sourceRegion(sid)
	if ok && region != s.opt.Region {
		if err := s.elsewhere("source", region); err != nil {
			return nil, err
		}
	}
	if !ok || region != s.opt.Region {
		return nil, noSource()
	}
	h, known := s.index.hook(sid)
	if !known && s.shared() {
		if err := s.miss(); err != nil {
			return nil, fault.New(fault.Unavailable, "source.unchecked", "the source cannot be looked up at the moment").Because(err)
		}
		h, known = s.index.hook(sid)
	}
	switch {
	case !known:
		return nil, noSource()
	case h.disabled != nil:
		return nil, h.disabled
	case h.fault != nil:
		return nil, h.fault
	}
	out := &Hook{Source: h.source}
	if h.now.Secret != "" {
		out.Secrets = append(out.Secrets, h.now)
		if h.old.Secret != "" && s.opt.Now().Before(h.oldEnds) {
			out.Secrets = append(out.Secrets, h.old)
		}
	}
	return out, nil
}

// sourceRegion returns the region in a source's id, "src_<region>_…".
func sourceRegion(sid string) (region string, ok bool) {
	rest, ok := strings.CutPrefix(sid, "src_")
	if !ok || len(sid) > maxKeyLength {
		return "", false
	}
	region, random, _ := strings.Cut(rest, "_")
	return region, region != "" && random != ""
}

// The lengths of a vendor's secret, in bytes. Twilio's and Meta's have 32, SendGrid's key 124.
const (
	minSecret = 16
	maxSecret = 1024
)

// checkRotation returns the secret by which that of f is replaced, as it is kept.
func (s *Service) checkRotation(f *StoredSource, secret string) (string, error) {
	if MayOAuth(f.Adapter) && f.oauth() != (secret != "") {
		if secret != "" {
			return "", fault.New(fault.Invalid, "source.secret_unwanted", "this source has a key that Domicile makes, and no OAuth").
				WithHint("make a source with OAuth")
		}
		return "", fault.New(fault.Invalid, "source.secret_missing", "to rotate a source with OAuth takes its new public key")
	}
	return s.checkSecret(f.Adapter, secret)
}

// checkSecret says whether secret can be that of a source of adapter, and returns it as it is kept.
// It never repeats it.
func (s *Service) checkSecret(adapter, secret string) (string, error) {
	if MayOAuth(adapter) && secret != "" && s.opt.Keys != nil {
		return publicKey(secret)
	}
	return secret, s.checkSigned(adapter, secret)
}

func (s *Service) checkSigned(adapter, secret string) error {
	if !Signed(adapter) {
		if secret != "" {
			return fault.New(fault.Invalid, "source.secret_unwanted", "sources of this adapter have a key that Domicile makes, and no other secret")
		}
		return nil
	}
	if s.opt.Keys == nil {
		return fault.New(fault.Internal, "", "").Because(errors.New("tenant: no keys to seal secrets under"))
	}
	if secret == "" {
		return fault.New(fault.Invalid, "source.secret_missing", "a source of this adapter needs the secret that the vendor signs with").
			WithHint("give as secret: Twilio's AuthToken, the public key of SendGrid's signed event webhook, or Meta's app secret")
	}
	if len(secret) < minSecret || len(secret) > maxSecret || strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return fault.New(fault.Invalid, "source.bad_secret", "a vendor's secret has %d to %d visible ASCII characters and no spaces", minSecret, maxSecret)
	}
	if s.opt.Secret != nil {
		return s.opt.Secret(adapter, secret)
	}
	return nil
}

// sealedSecrets is the plaintext of what is stored. Format: docs/formats/keys.md, version 1.
type sealedSecrets struct {
	Secret      string `json:"secret"`
	VerifyToken string `json:"verify_token,omitempty"`
}

// seal returns the secrets of src, sealed, and the one of them that Domicile made, if any.
func (s *Service) seal(src *Source, secret string) (sealed []byte, shown string) {
	plain := sealedSecrets{Secret: secret}
	if src.Adapter == term.AdapterWhatsApp {
		plain.VerifyToken = id.New("dwv_"+s.opt.Region, randomBytes)
	}
	b, err := json.Marshal(plain)
	if err != nil {
		panic(err) // two strings
	}
	defer clear(b)
	return seal.SealBytes(s.opt.Keys.SourceKey(src.TenantID, src.ID), s.bound(src), b), plain.VerifyToken
}

const secretTag = "source secrets 1\x00"

// bound is what sealed secrets are bound to, so that they open for this source alone.
func (s *Service) bound(src *Source) []byte {
	b := []byte(secretTag)
	for _, name := range []string{s.opt.Region, src.TenantID, src.ID, src.Adapter} {
		b = seal.AppendName(b, name)
	}
	return b
}

func (s *Service) open(src *Source, sealed []byte) (Secrets, error) {
	if len(sealed) == 0 {
		return Secrets{}, nil
	}
	if s.opt.Keys == nil {
		return Secrets{}, errors.New("no keys")
	}
	b, err := seal.OpenBytes(s.opt.Keys.SourceKey(src.TenantID, src.ID), s.bound(src), sealed)
	if err != nil {
		return Secrets{}, err
	}
	defer clear(b)
	var plain sealedSecrets
	if json.Unmarshal(b, &plain) != nil || plain.Secret == "" {
		return Secrets{}, errors.New("not what was sealed") // the error of encoding/json quotes
	}
	return Secrets(plain), nil
}

// openAll opens the secrets of all sources that have some. A source whose secrets don't open is told
// to the log and answers that it isn't available: the vendor sends again until that is mended.
func (s *Service) openAll(accounts []Account) map[string]opened {
	all := map[string]opened{}
	for i := range accounts {
		for j := range accounts[i].Sources {
			f := &accounts[i].Sources[j]
			if len(f.Sealed) == 0 {
				continue
			}
			var o opened
			var err, oldErr error
			o.now, err = s.open(&f.Source, f.Sealed)
			if o.old, oldErr = s.open(&f.Source, f.OldSealed); err != nil || oldErr != nil {
				s.opt.Log.Error("the secrets of a source can't be opened", "source", f.ID, "error", errors.Join(err, oldErr))
			}
			if err != nil { // without the old ones, the new ones hold all the same
				o = opened{fault: fault.New(fault.Unavailable, "source.secrets_unreadable", "the secrets of this source can't be read").
					WithHint("restore the table source from a backup, or give the source its secret anew by rotating it")}
			}
			all[f.ID] = o
		}
	}
	return all
}
