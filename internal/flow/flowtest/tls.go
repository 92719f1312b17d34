package flowtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow"
)

// ConformTLS states what connectors over HTTPS do. recipient is one that takes everything; open returns
// a connector to it at url, which is "https://…", trusting roots.
func ConformTLS(t *testing.T, recipient func() http.Handler, open func(t testing.TB, url string, roots *x509.CertPool) flow.Connector) {
	for _, tt := range []struct {
		name    string
		newest  uint16
		minimum string
		host    string // in place of 127.0.0.1
		trust   bool
		reason  string
	}{
		{"1.2 for 1.2", tls.VersionTLS12, "1.2", "", true, ""},
		{"1.3 for 1.2", tls.VersionTLS13, "1.2", "", true, ""},
		{"1.3 for 1.3", tls.VersionTLS13, "1.3", "", true, ""},
		{"1.2 for 1.3", tls.VersionTLS12, "1.3", "", true, "destination.tls"},
		{"1.1 for 1.2", tls.VersionTLS11, "1.2", "", true, "destination.tls"},
		{"1.1 for none given", tls.VersionTLS11, "", "", true, "destination.tls"},
		{"a version that there isn't", tls.VersionTLS13, "1.4", "", true, "destination.bad_tls"},
		{"another name", tls.VersionTLS13, "1.2", "localhost", true, "destination.certificate"},
		{"an unknown authority", tls.VersionTLS13, "1.2", "", false, "destination.certificate"},
		{expired, tls.VersionTLS13, "1.2", "", true, "destination.certificate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conf := &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tt.newest} //nolint:gosec // old on purpose
			if tt.name == expired {
				conf.Certificates = []tls.Certificate{outdated(t)}
			}
			s := NewServer(t, recipient(), conf)
			roots := s.Roots
			if !tt.trust {
				roots = x509.NewCertPool()
			}
			url := s.URL
			if tt.host != "" {
				url = strings.Replace(url, "127.0.0.1", tt.host, 1)
			}
			c := open(t, url, roots)
			defer func() { _ = c.Close() }()
			// One that asks for less goes first, so that its connection is there to be taken.
			d, _ := Delivery("f", 1, 1)
			_ = c.Deliver(t.Context(), d)
			before := s.Requests()
			d, _ = Delivery("f", 2, 1)
			d.MinimumTLS = tt.minimum
			err := c.Deliver(t.Context(), d)
			if fault.ReasonOf(err) != tt.reason {
				t.Errorf("Deliver: %v, want %q", err, tt.reason)
			}
			// Every batch would be answered so: it waits for somebody to mend it.
			if f, ok := fault.As(err); ok && tt.reason != "destination.bad_tls" && (f.Kind != fault.Unavailable || f.RetryAfterSeconds < 60) {
				t.Errorf("%s is tried again as %s after %d s", tt.reason, f.Kind, f.RetryAfterSeconds)
			}
			if tt.reason != "" && s.Requests() != before {
				t.Error("it was sent nevertheless")
			}
		})
	}
}

const expired = "a certificate that has expired"

// outdated is a certificate of this machine's address that was valid until an hour ago.
func outdated(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
