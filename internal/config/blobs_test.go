package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"domicile.dev/internal/config"
	"domicile.dev/internal/fault"
)

func TestBlobs(t *testing.T) {
	for _, tt := range []struct{ name, text, store, wrong string }{
		{"none", "", "", ""},
		{"a folder", "blobs: {store: 'file:/srv/blobs', max_megabytes: 200, uploads: 4}", "file:/srv/blobs", ""},
		{"a folder beside the file", "blobs: {store: 'file:blobs'}", "file:DIR/blobs", ""},
		{"a bucket", "blobs: {store: 's3://bucket?region=eu-west-1'}", "s3://bucket?region=eu-west-1", ""},
		{"no folder", "blobs: {store: 'file:'}", "", "blobs.store"},
		{"a path alone", "blobs: {store: /srv/blobs}", "", "blobs.store"},
		{"another scheme", "blobs: {store: 'ftp://host/blobs'}", "", "blobs.store"},
		{"no bucket", "blobs: {store: 's3://'}", "", "blobs.store"},
		{"below nothing", "blobs: {max_megabytes: -1}", "", "blobs.max_megabytes"},
		{"beyond what a bucket takes", "blobs: {max_megabytes: 49153}", "", "blobs.max_megabytes"},
		{"too many at a time", "blobs: {uploads: 1001}", "", "blobs.uploads"},
		{"an unknown key", "blobs: {size: 1}", "", "size"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "node.yaml")
			if err := os.WriteFile(file, []byte("region: ie1\nlisten: 127.0.0.1:8080\ndata: data\n"+tt.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := config.Load(file)
			if tt.wrong != "" {
				if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || !strings.Contains(f.Public, tt.wrong) || f.Hint == "" {
					t.Errorf("Load: %v, want a fault about %s", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := strings.ReplaceAll(tt.store, "DIR", dir); n.Blobs.Store != want {
				t.Errorf("store %q, want %q", n.Blobs.Store, want)
			}
		})
	}
}
