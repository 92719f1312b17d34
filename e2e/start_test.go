package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A second start on the same folder keeps data, keys and credentials; what holds secrets is for
// its owner alone; an orderly stop under load loses nothing and exits 0.
func TestStartStopStart(t *testing.T) {
	onBothStores(t, func(t *testing.T, kind string) {
		w := newWorld(t, kind)
		l := newLoad(t, w, "ie1", "au1")
		before := w.up
		if before.Version != 1 || !strings.HasPrefix(before.Programme, "sha256:") || before.Staff == nil || len(before.Staff) != 0 || len(before.Regions) != 3 {
			t.Errorf("up.json is %+v", before)
		}
		ownersAlone(t, w.dir)
		ctx, stop := context.WithCancel(t.Context())
		done := l.run(ctx)
		pause(within(300 * time.Millisecond))
		w.stop()
		w.start()
		stop()
		<-done
		l.check(t)
		l.checkAll(t)
		for i, r := range w.up.Regions {
			was := before.Regions[i]
			if r.APIToken != was.APIToken || r.Sources["segment"] != was.Sources["segment"] || r.Sources["native"] != was.Sources["native"] || r.URL != was.URL {
				t.Errorf("%s has other credentials after a second start", r.ID)
			}
		}
	})
}

// ownersAlone wants every file below dir to be closed to others.
func ownersAlone(t *testing.T, dir string) {
	t.Helper()
	err := filepath.Walk(dir, func(name string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A node that must not start says why and what to do, and changes nothing.
func TestRefusesToStart(t *testing.T) {
	w := newWorld(t, "sqlite")
	ie1 := w.region("ie1")
	ie1.segment(t, "/v1/track", m{"userId": "kept", "event": "Seen", "messageId": "kept"})
	data, first := w.data(ie1), fmt.Sprintf("127.0.0.1:%d", freePorts(t, 3))
	config := func(lines ...string) []string {
		file := filepath.Join(t.TempDir(), "node.yaml")
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"serve", "--config", file}
	}
	refuses := func(name string, code int, says string, args []string) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, exe, args...)
			cmd.Dir = w.root
			var errs strings.Builder
			cmd.Stderr = &errs
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() != code {
				t.Errorf("exit %v, want %d", err, code)
			}
			if out := errs.String(); !strings.Contains(out, says) || !strings.Contains(out, "error: ") || !strings.Contains(out, "hint: ") {
				t.Errorf("it says %q, want an error with %q and a hint", out, says)
			}
		})
	}
	refuses("a data folder in use", 1, "open", []string{"up", "--dir", w.dir, "--listen", first})
	refuses("a port in use", 1, "port", []string{"up", "--dir", t.TempDir(), "--listen", strings.TrimPrefix(ie1.URL, "http://")})
	refuses("no address", 2, "host:port", []string{"up", "--dir", t.TempDir(), "--listen", "nowhere"})
	refuses("a recipient that isn't declared", 2, "recipient", []string{"up", "--dir", t.TempDir(), "--listen", first, "--destination", "x=http://localhost"})
	refuses("no such programme", 2, "programme", []string{"up", "--dir", t.TempDir(), "--listen", first, "--programme", "nowhere"})
	refuses("a store that isn't there", 1, "store", []string{"up", "--dir", t.TempDir(), "--listen", first, "--store", "postgres://x@127.0.0.1:9/postgres?sslmode=disable"})
	refuses("no configuration", 2, "configuration", []string{"serve", "--config", "nowhere.yaml"})
	refuses("a misspelt key", 2, "regoin", config("regoin: ie1", "listen: "+first, "data: "+t.TempDir()))
	refuses("an unknown region", 2, "region", config("region: xx9", "listen: "+first, "data: "+t.TempDir()))
	refuses("plain HTTP for everybody", 2, "tls", config("region: ie1", "listen: 0.0.0.0:9", "data: "+t.TempDir()))
	refuses("an unverified server", 2, "sslmode", config("region: ie1", "listen: "+first, "data: "+t.TempDir(), "store: postgres://x@db.example.com/ie1?sslmode=require"))

	w.stop()
	refuses("another region's store", 1, "ie1", config("region: us1", "listen: "+first, "data: "+data, "keyring: file:"+filepath.Join(t.TempDir(), "keyring")))
	refuses("another region's keyring", 1, "ie1", config("region: us1", "listen: "+first, "data: "+t.TempDir(), "keyring: file:"+filepath.Join(data, "keyring")))
	refuses("an empty keyring", 1, "key", config("region: ie1", "listen: "+first, "data: "+data, "keyring: file:"+filepath.Join(t.TempDir(), "keyring")))
	refuses("a keyring of another store", 1, "key", config("region: ie1", "listen: "+first, "data: "+data, "keyring: file:"+otherKeyring(t)))
	w.start()
	if n := len(w.region("ie1").byClientID(t, "kept")); n != 1 {
		t.Errorf("after all that, %d records, want 1", n)
	}
}

// otherKeyring is that of another ie1.
func otherKeyring(t *testing.T) string {
	t.Helper()
	w := newWorld(t, "sqlite")
	w.stop()
	return filepath.Join(w.data(w.region("ie1")), "keyring")
}

// A PostgreSQL server is one region's: `serve` marks it and refuses another.
func TestTwoRegionsOnOneServer(t *testing.T) {
	pg := newPostgres(t)
	conn, err := pgx.Connect(t.Context(), pg.url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, name := range []string{"one", "two"} {
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'"); err != nil {
			t.Fatal(err)
		}
	}
	ie1 := serve(t, strings.Replace(pg.url, "/postgres?", "/one?", 1), filepath.Join(t.TempDir(), "keyring"))
	ie1.launch()
	if !ie1.readyOrGone() {
		t.Fatalf("the first region does not start:\n%s", ie1.readLog())
	}
	us1 := serve(t, strings.Replace(pg.url, "/postgres?", "/two?", 1), filepath.Join(t.TempDir(), "keyring"))
	us1.retarget(t, "us1")
	us1.launch()
	if us1.readyOrGone() {
		t.Fatal("a second region starts on the first one's server")
	}
	if log := us1.readLog(); !strings.Contains(log, "ie1") || !strings.Contains(log, "hint: ") {
		t.Errorf("it says %q, want the other region's name and a hint", log)
	}
}

// retarget makes the node's configuration that of another region.
func (w *world) retarget(t *testing.T, region string) {
	t.Helper()
	file := w.args[len(w.args)-1]
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "region: ie1", "region: "+region, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// `serve` speaks TLS 1.2 or newer, and a new certificate is served without a restart.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pool := x509.NewCertPool()
	pool.AddCert(certificate(t, cert, key, 1))
	w := prepareWorld(t, "sqlite")
	listen := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1))
	file := filepath.Join(w.root, "node.yaml")
	text := fmt.Sprintf("region: ie1\nlisten: %s\ndata: %s\ntls:\n  cert: %s\n  key: %s\n", listen, w.dir, cert, key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.args = []string{"serve", "--config", file}
	w.up = upFile{Regions: []*region{{ID: "ie1", URL: "https://" + listen, w: w}}}
	w.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	w.launch()
	if !w.readyOrGone() {
		t.Fatalf("domicile serve ended:\n%s", w.readLog())
	}
	serial := func() int64 {
		c, err := tls.Dial("tcp", listen, &tls.Config{RootCAs: pool})
		if err != nil {
			return 0
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(); n != 1 {
		t.Errorf("certificate %d is served, want 1", n)
	}
	if c, err := tls.Dial("tcp", listen, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	pool.AddCert(certificate(t, cert, key, 2))
	w.eventually("the new certificate", func() error {
		if n := serial(); n != 2 {
			return fmt.Errorf("certificate %d is served", n)
		}
		return nil
	})
	w.stop()
}

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T, cert, key string, serial int64) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: pkcs8}, cert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(name+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}
