package objects_test

import (
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/media"
	"domicile.dev/internal/media/mediatest"
	"domicile.dev/internal/media/objects"
)

// server returns the address of a server that speaks S3, with one bucket.
func server(t testing.TB) string {
	s3 := s3mem.New()
	srv := httptest.NewServer(gofakes3.New(s3).Server())
	t.Cleanup(srv.Close)
	if err := s3.CreateBucket("blobs"); err != nil {
		t.Fatal(err)
	}
	return srv.URL
}

func credentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "made-up")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "made-up")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestStore(t *testing.T) {
	credentials(t)
	for name, more := range map[string]string{"bucket": "", "prefix": "&prefix=ie1/"} {
		t.Run(name, func(t *testing.T) {
			mediatest.Run(t, func(t testing.TB) media.Store {
				s, err := objects.Open(t.Context(), fmt.Sprintf("s3://blobs?region=eu-west-1&use_path_style=true&endpoint=%s%s", server(t), more))
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}

// The same at a server of one's own: DOMICILE_TEST_S3 is an address without prefix, and the credentials
// are those of the environment. It leaves nothing that matters in the bucket.
func TestStoreOfAServer(t *testing.T) {
	uri := os.Getenv("DOMICILE_TEST_S3")
	if uri == "" {
		t.Skip("DOMICILE_TEST_S3 names no bucket")
	}
	mediatest.Run(t, func(t testing.TB) media.Store {
		s, err := objects.Open(t.Context(), fmt.Sprintf("%s&prefix=test-%s/", uri, rand.Text()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestAWrongAddressIsFoundAtTheStart(t *testing.T) {
	credentials(t)
	for name, uri := range map[string]string{
		"no bucket":        "s3://",
		"a path":           "s3://blobs/folder",
		"a credential":     "s3://key:secret@blobs",
		"unknown settings": "s3://blobs?colour=red",
		"no such bucket":   "s3://others?region=eu-west-1&use_path_style=true&endpoint=" + server(t),
		"nobody there":     "s3://blobs?region=eu-west-1&use_path_style=true&endpoint=http://127.0.0.1:9",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := objects.Open(t.Context(), uri)
			if f, ok := fault.As(err); !ok || f.Kind != fault.Invalid || f.Reason != "config.blobs" || f.Hint == "" {
				t.Errorf("Open: %v, want config.blobs with a hint", err)
			}
		})
	}
}
