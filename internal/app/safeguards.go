package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"

	"domicile.dev/internal/notice"
	"domicile.dev/internal/programme"
)

// safeguards looks at what protects data on this node now. What can't be looked at is an error, and there
// is no page.
func (n *Node) safeguards(ctx context.Context) (*notice.State, error) {
	now := time.Now()
	s := &notice.State{At: now, Region: n.Config.Region}
	keys, err := n.vault.Standing(ctx)
	if err != nil {
		return nil, err
	}
	s.Rest = notice.AtRest{Store: "a database in this node's own folder (SQLite)", Keyring: "a folder of files, apart from the store, one for each key",
		EpochLength: keys.Length, Epoch: keys.Current, EpochSince: keys.Since, Destroyed: keys.Destroyed, LastGone: keys.LastGone, Unrecoverable: n.vault.UnrecoverableBy(now)}
	if n.Config.Store != "" {
		s.Rest.Store = "PostgreSQL, on this machine or over TLS with its certificate verified in full"
		if n.Config.SharedServer {
			s.Rest.Store = "PostgreSQL, a server that is shared for trying: its certificate isn't verified"
		}
	}
	if scheme, _, _ := strings.Cut(n.Config.Keyring, ":"); scheme != "file" {
		s.Rest.Keyring = scheme
	}
	log, err := n.Ledger.Standing(ctx)
	if err != nil {
		return nil, err
	}
	self, counts := n.Ledger.Self(), n.Ledger.Counts()
	s.Log = notice.LogState{Size: log.Size, Signed: log.SignedAt, Looked: self.Size - self.From, Defects: len(self.Defects), Refusals: counts.SignRefused}
	for _, m := range log.Mirrors {
		s.Log.Mirrors = append(s.Log.Mirrors, notice.Mirror{Origin: m.Origin, Size: m.Size, At: m.At})
	}
	s.TLS = n.tryTLS(ctx)
	noted, err := n.register.Current(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range noted.Register.BackupsOn(programme.DayOf(now)) {
		s.Backups = append(s.Backups, notice.Copied{Of: b.Of, Place: b.Place, By: b.By, Made: b.Made, Restored: b.Restored})
	}
	return s, nil
}

// tlsVersions are those that are tried.
var tlsVersions = []struct {
	name string
	id   uint16
}{{"1.0", tls.VersionTLS10}, {"1.1", tls.VersionTLS11}, {"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13}}

// tryTLS shakes hands with the settings of the node's listener, once in each version. It returns nil where
// the listener speaks plain HTTP.
func (n *Node) tryTLS(ctx context.Context) *notice.TLS {
	c := n.listening.Load()
	if c == nil {
		return nil
	}
	t := &notice.TLS{}
	for _, v := range tlsVersions {
		cert, err := shake(ctx, c, v.id)
		if err != nil {
			t.Refused = append(t.Refused, v.name)
			continue
		}
		t.Accepted = append(t.Accepted, v.name)
		t.Until = cert.NotAfter
	}
	return t
}

// shakeTime is the longest that a handshake in memory may take.
const shakeTime = 2 * time.Second

// shake speaks TLS of that version, and no other, to a server with those settings, and returns the
// server's certificate. The certificate isn't judged: it is the version that is asked for.
func shake(ctx context.Context, server *tls.Config, version uint16) (*x509.Certificate, error) {
	ctx, stop := context.WithTimeout(ctx, shakeTime)
	defer stop()
	here, there := net.Pipe()
	defer func() { _ = here.Close() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = there.Close() }()
		_ = tls.Server(there, server).HandshakeContext(ctx)
	}()
	c := tls.Client(here, &tls.Config{MinVersion: version, MaxVersion: version, InsecureSkipVerify: true})
	err := c.HandshakeContext(ctx)
	_ = here.Close()
	<-done
	if err != nil {
		return nil, err
	}
	return c.ConnectionState().PeerCertificates[0], nil
}
