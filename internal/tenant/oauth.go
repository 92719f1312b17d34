package tenant

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/term"
)

// TokenLifetime is how long an access token holds. Segment's SDKs get another at half of it.
const TokenLifetime = time.Hour

// kindAccess begins an access token: "dat_<region>_<random part of the source's id>.<sealed>".
const kindAccess = "dat_"

// MayOAuth says whether a source of adapter can be an OAuth application: then its write key is worth
// nothing alone, and who brings data shows that they hold a private key.
func MayOAuth(adapter string) bool { return adapter == term.AdapterSegment }

// oauth says whether f is an OAuth application: it has a public key.
func (f *StoredSource) oauth() bool { return MayOAuth(f.Adapter) && len(f.Sealed) > 0 }

// AccessToken gives the source that an assertion of a client names a token, for as long as
// TokenLifetime. audience is this region's address. An assertion is not remembered: whoever has one
// can use it until it ends, a minute later as the SDKs make them.
//
// Faults: Unauthenticated, oauth.bad_assertion, and what Hook has: WrongRegion, Forbidden,
// Unavailable. A source that isn't there is no other than a signature that doesn't fit.
func (s *Service) AccessToken(jwt, audience string) (string, error) {
	a, ok := parseAssertion(jwt)
	if !ok {
		return "", badAssertion("it is no JWT signed with RS256")
	}
	now := s.opt.Now()
	src, public, err := s.signer(&a)
	if err == nil && src == nil && s.shared() { // the key may have been set on another node a moment ago
		if err = s.miss(); err != nil {
			return "", fault.New(fault.Unavailable, "source.unchecked", "the source cannot be looked up at the moment").Because(err)
		}
		src, public, err = s.signer(&a)
	}
	if err != nil {
		return "", err
	}
	if src == nil {
		return "", badAssertion("no source of that id has a key that fits")
	}
	if why := a.wrong(audience, now); why != "" {
		return "", badAssertion(why)
	}
	return s.mint(src, public, now.Add(TokenLifetime)), nil
}

// signer returns the source that an assertion names and the key that it is signed with; no source
// when there is none, or none of its keys fits.
func (s *Service) signer(a *assertion) (src *Source, public string, err error) {
	h, err := s.Hook(a.claims.Subject)
	if fault.KindOf(err) == fault.NotFound {
		return nil, "", nil
	} else if err != nil || !h.Source.OAuth {
		return nil, "", err
	}
	for _, key := range h.Secrets {
		if a.signedBy(key.Secret) {
			return h.Source, key.Secret, nil
		}
	}
	return nil, "", nil
}

func badAssertion(why string) error {
	return fault.New(fault.Unauthenticated, "oauth.bad_assertion", "the client assertion is refused: %s", why).
		WithHint("the client's id is the source's id, and its authServer this region's address")
}

// mint returns an access token. Every node of the region can open it, for it is sealed under the key
// of the source's secrets; no store holds it.
func (s *Service) mint(src *Source, public string, ends time.Time) string {
	sealed := seal.SealBytes(s.opt.Keys.SourceKey(src.TenantID, src.ID), s.tokenBound(src, public), binary.BigEndian.AppendUint64(nil, uint64(ends.Unix())))
	return kindAccess + strings.TrimPrefix(src.ID, "src_") + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

const tokenTag = "access token 1\x00"

// tokenBound is what an access token is bound to: its source, and the key by which it was got, so
// that it ends with that key.
func (s *Service) tokenBound(src *Source, public string) []byte {
	b := []byte(tokenTag)
	for _, name := range []string{s.opt.Region, src.TenantID, src.ID} {
		b = seal.AppendName(b, name)
	}
	sum := sha256.Sum256([]byte(public))
	return append(b, sum[:]...)
}

// IsAccessToken says whether a credential is meant to be one.
func IsAccessToken(credential string) bool { return strings.HasPrefix(credential, kindAccess) }

// SourceByAccessToken returns the source that got the token. Faults as for SourceByKey, and
// Unauthenticated with the reason ReasonTokenEnded for what is to be replaced by a new one: it has
// expired, or the key by which it was got holds no longer.
func (s *Service) SourceByAccessToken(token string) (*Source, error) {
	sid, sealed, ok := strings.Cut(strings.TrimPrefix(token, kindAccess), ".")
	if !ok || !IsAccessToken(token) || len(sealed) > maxKeyLength {
		return nil, unknown()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil {
		return nil, unknown()
	}
	h, err := s.Hook("src_" + sid)
	if fault.KindOf(err) == fault.NotFound || err == nil && !h.Source.OAuth {
		return nil, unknown()
	} else if err != nil {
		return nil, err
	}
	for _, key := range h.Secrets {
		plain, err := seal.OpenBytes(s.opt.Keys.SourceKey(h.Source.TenantID, h.Source.ID), s.tokenBound(h.Source, key.Secret), b)
		if err == nil && len(plain) == 8 && s.opt.Now().Unix() < int64(binary.BigEndian.Uint64(plain)) {
			return h.Source, nil
		}
	}
	return nil, fault.New(fault.Unauthenticated, ReasonTokenEnded, "the access token holds no longer").WithHint("get another at /token")
}

// ReasonTokenEnded is the reason of a token that was good once, as far as anybody can tell.
const ReasonTokenEnded = "oauth.token_ended"

// needsToken is the fault of a write key that came alone.
func needsToken() error {
	return fault.New(fault.Unauthenticated, "oauth.token_missing", "this source's write key brings nothing without an access token").
		WithHint("set oauthSettings in the SDK: clientId is the source's id, authServer the region's address")
}
