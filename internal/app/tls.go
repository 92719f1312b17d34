package app

import (
	"crypto/tls"
	"os"
	"sync"
	"time"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
)

// certificates serves the certificate in two files and reads them again when they change, so that
// a renewed one needs no restart. While the new files can't be read, the old certificate stays.
type certificates struct {
	files config.TLS

	mu     sync.Mutex
	cert   *tls.Certificate // guarded by mu, like all below
	read   time.Time        // modification time of what cert was read from
	looked time.Time
}

// lookEvery is how often the files' times are looked at.
const lookEvery = 2 * time.Second

func newCertificates(files *config.TLS) (*certificates, error) {
	c := &certificates{files: *files}
	if err := c.load(); err != nil {
		return nil, fault.New(fault.Invalid, "config.tls", "the certificate %s and its key %s can't be used", files.Cert, files.Key).
			WithHint("give a PEM certificate chain and its key, readable by this process").Because(err)
	}
	return c, nil
}

func (c *certificates) load() error {
	at, err := newest(c.files.Cert, c.files.Key)
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return err
	}
	c.cert, c.read = &cert, at
	return nil
}

func newest(files ...string) (at time.Time, err error) {
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return at, err
		}
		if st.ModTime().After(at) {
			at = st.ModTime()
		}
	}
	return at, nil
}

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if at, err := newest(c.files.Cert, c.files.Key); err == nil && !at.Equal(c.read) {
			_ = c.load() // half written: the next look reads it again
		}
	}
	return c.cert, nil
}

// config speaks TLS 1.2 or newer.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: []string{"h2", "http/1.1"}}
}
