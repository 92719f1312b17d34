package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"domicile.dev/examples"
	"domicile.dev/internal/app"
	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
	"domicile.dev/internal/programme"
)

func exampleProgramme(t *testing.T) *programme.Programme {
	t.Helper()
	p, err := programme.Load(examples.Communications())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var quiet = slog.New(slog.DiscardHandler)

func startUp(t *testing.T, dir string) (*app.Up, func()) {
	t.Helper()
	up, err := app.StartUp(context.Background(), app.UpOptions{Dir: dir, Listen: "127.0.0.1:0", Programme: exampleProgramme(t), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- up.Serve(ctx) }()
	return up, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}

func TestUpKeepsCredentialsAndWitnessesAcrossStarts(t *testing.T) {
	dir := t.TempDir()
	up, stop := startUp(t, dir)
	first := up.File
	stop()
	st, err := os.Stat(filepath.Join(dir, "up.json"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("up.json: %v, %v; want mode 0600", st, err)
	}
	up, stop = startUp(t, dir)
	defer stop()
	for i, r := range up.File.Regions {
		was := first.Regions[i]
		if r.APIToken != was.APIToken || r.LedgerKey != was.LedgerKey || r.Sources["segment"] != was.Sources["segment"] || r.Sources["native"] != was.Sources["native"] {
			t.Errorf("region %s has new credentials or keys after a restart", r.ID)
		}
	}
}

func TestUpMakesNewCredentialsWhenItsFileIsLost(t *testing.T) {
	dir := t.TempDir()
	_, stop := startUp(t, dir)
	stop()
	if err := os.Remove(filepath.Join(dir, "up.json")); err != nil {
		t.Fatal(err)
	}
	up, stop := startUp(t, dir)
	defer stop()
	r := up.File.Regions[0]
	req, _ := http.NewRequest(http.MethodPost, r.URL+"/v1/track", strings.NewReader(`{"userId":"u","event":"x"}`))
	req.SetBasicAuth(r.Sources["segment"].WriteKey, "")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("the new key: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

func TestTheFrontPageShowsRegionAndHowToSend(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	for _, r := range up.File.Regions {
		resp, err := http.Get(r.URL + "/")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		for _, want := range []string{"region " + r.ID, "/v1/track", "/api/docs", "/ledger/checkpoint"} {
			if !strings.Contains(string(b), want) {
				t.Errorf("the front page of %s lacks %q", r.ID, want)
			}
		}
	}
}

// node returns the configuration of a single node of region ie1 in dir.
func node(dir string) *config.Node {
	return &config.Node{Region: "ie1", Listen: "127.0.0.1:0", Data: dir}
}

func open(t *testing.T, c *config.Node) (*app.Node, error) {
	t.Helper()
	if err := c.Check(); err != nil {
		return nil, err
	}
	return app.Open(context.Background(), c, app.Options{Programme: exampleProgramme(t), Log: quiet})
}

func mustOpenAndClose(t *testing.T, c *config.Node) {
	t.Helper()
	n, err := open(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestRefusesToStart: each with a fault that says what is wrong and what to do.
func TestRefusesToStart(t *testing.T) {
	refused := func(t *testing.T, err error, says ...string) {
		t.Helper()
		f, ok := fault.As(err)
		if !ok {
			t.Fatalf("%v, want a fault", err)
		}
		if f.Hint == "" {
			t.Errorf("%v has no hint", err)
		}
		for _, s := range says {
			if !strings.Contains(f.Public+" "+f.Hint, s) {
				t.Errorf("%q, hint %q: lacks %q", f.Public, f.Hint, s)
			}
		}
	}
	t.Run("on a store of another region", func(t *testing.T) {
		dir := t.TempDir()
		mustOpenAndClose(t, node(dir))
		c := node(dir)
		c.Region = "us1"
		_, err := open(t, c)
		refused(t, err, "ie1")
	})
	t.Run("with keys that don't fit the store", func(t *testing.T) {
		a, b := t.TempDir(), t.TempDir()
		mustOpenAndClose(t, node(a))
		mustOpenAndClose(t, node(b))
		c := node(a)
		c.Keyring = "file:" + filepath.Join(b, "keyring")
		_, err := open(t, c)
		refused(t, err)
	})
	t.Run("without the keys of its store", func(t *testing.T) {
		dir := t.TempDir()
		mustOpenAndClose(t, node(dir))
		if err := os.RemoveAll(filepath.Join(dir, "keyring")); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, node(dir))
		refused(t, err)
	})
	t.Run("on a keyring that others can read", func(t *testing.T) {
		dir := t.TempDir()
		mustOpenAndClose(t, node(dir))
		files, _ := filepath.Glob(filepath.Join(dir, "keyring", "*"))
		for _, f := range files {
			_ = filepath.WalkDir(f, func(p string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					_ = os.Chmod(p, 0o644)
				}
				return nil
			})
		}
		_, err := open(t, node(dir))
		refused(t, err, "chmod")
	})
	t.Run("while another process has the store", func(t *testing.T) {
		dir := t.TempDir()
		n, err := open(t, node(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		_, err = open(t, node(dir))
		refused(t, err)
	})
	t.Run("for a region that the programme doesn't declare", func(t *testing.T) {
		c := node(t.TempDir())
		c.Region = "mars1"
		_, err := open(t, c)
		refused(t, err, "mars1")
	})
	t.Run("in the clear on an address that others reach", func(t *testing.T) {
		c := node(t.TempDir())
		c.Listen = "0.0.0.0:8443"
		_, err := open(t, c)
		refused(t, err, "tls", "loopback")
	})
}

func TestConfigSaysEveryFault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.yaml")
	write := func(s string) {
		if err := os.WriteFile(file, []byte(s), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("region: IE 1\nlisten: nowhere\nstore: mysql://x\nlog_level: loud\nclient_ip: \"the peer\"\ntrusted_proxies: [10.0.0.0/8, ::/0, home]\n")
	_, err := config.Load(file)
	for _, want := range []string{"region:", "listen:", "store:", "log_level:", "client_ip:", "data:", "trusted_proxies.1:", "trusted_proxies.2:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
	for _, half := range []struct{ text, want string }{{"client_ip: X-Real-IP", "trusted_proxies:"}, {"trusted_proxies: [10.0.0.1]", "client_ip:"}} {
		write("region: ie1\nlisten: 127.0.0.1:1\ndata: d\n" + half.text + "\n")
		if _, err = config.Load(file); err == nil || !strings.Contains(err.Error(), half.want) {
			t.Errorf("%s: %v lacks %s", half.text, err, half.want)
		}
	}
	write("region: ie1\nlistn: 127.0.0.1:1\n")
	if _, err = config.Load(file); err == nil || !strings.Contains(err.Error(), "listn") {
		t.Errorf("an unknown key: %v", err)
	}
}

// certificate writes a self-signed certificate for 127.0.0.1 with that serial number.
func certificate(t *testing.T, dir string, serial int64) *config.TLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "ie1"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := &config.TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{c.Cert: {Type: "CERTIFICATE", Bytes: der}, c.Key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Duration(serial) * time.Second)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestServeSpeaksTLSAndReloadsItsCertificate(t *testing.T) {
	dir := t.TempDir()
	c := node(dir)
	c.TLS = certificate(t, dir, 1)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- app.ServeNode(ctx, c, app.Options{Programme: exampleProgramme(t), Log: quiet}, func(addr string) { ready <- addr })
	}()
	var addr string
	select {
	case addr = <-ready:
	case err := <-done:
		t.Fatal(err)
	}
	serial := func() int64 {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if v := conn.ConnectionState().Version; v < tls.VersionTLS12 {
			t.Errorf("TLS version %x", v)
		}
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d, want 1", got)
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	certificate(t, dir, 2)
	deadline := time.Now().Add(20 * time.Second)
	for serial() != 2 {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate was not taken up")
		}
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	resp, err := client.Get("https://" + addr + "/readyz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("readyz: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("ServeNode: %v", err)
	}
}

func TestUpFileHasTheFixedShape(t *testing.T) {
	up, stop := startUp(t, t.TempDir())
	defer stop()
	b, _ := json.Marshal(up.File)
	var f map[string]any
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if f["version"] != 1.0 || !strings.HasPrefix(f["programme"].(string), "sha256:") {
		t.Errorf("up.json begins with %v, %v", f["version"], f["programme"])
	}
	if staff, ok := f["staff"].([]any); !ok || len(staff) != 0 {
		t.Errorf("staff = %v, want an empty list", f["staff"])
	}
	for i, r := range f["regions"].([]any) {
		m := r.(map[string]any)
		if m["id"] != app.UpRegions[i] || m["tenant"] != "acme" {
			t.Errorf("region %d is %v of %v", i, m["id"], m["tenant"])
		}
		for _, s := range []string{"segment", "browser", "rudderstack", "twilio", "sendgrid", "whatsapp", "native"} {
			if m["sources"].(map[string]any)[s] == nil {
				t.Errorf("region %v has no source %s", m["id"], s)
			}
		}
	}
}
