package objects_test

import (
	"net/http"
	"strings"
	"testing"

	"domicile.dev/internal/flow/flowtest"
	"domicile.dev/internal/flow/objects"
)

// There are no names below an address of the network: a bucket of such an endpoint is in the path,
// whether or not anybody says so.
func TestABucketAtAnAddressIsInThePath(t *testing.T) {
	credentials(t)
	for _, style := range []string{"", "&use_path_style=true"} {
		asked := ""
		s := flowtest.NewServer(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.Path }), nil)
		if !strings.Contains(s.URL, "127.0.0.1") {
			t.Fatalf("the server is at %s", s.URL)
		}
		c, err := objects.Open(t.Context(), "s3://out?region=us-east-1&endpoint="+s.URL+style, objects.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d, _ := flowtest.Delivery("f", 1, 1)
		if err := c.Deliver(t.Context(), d); err != nil || !strings.HasPrefix(asked, "/out/") {
			t.Errorf("with %q: asked for %q, %v", style, asked, err)
		}
		_ = c.Close()
	}
}
