package ledger

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"domicile.dev/internal/fault"
)

// maxFetched is more than any page of a log has.
const maxFetched = 1 << 20

// HTTPFetch returns a Fetch from a region's URL, such as "https://ie1.example.com".
func HTTPFetch(c *http.Client, url string) Fetch {
	base := strings.TrimSuffix(url, "/") + "/ledger/"
	return func(ctx context.Context, path string) ([]byte, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			return nil, err
		}
		res, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(io.LimitReader(res.Body, maxFetched))
		switch {
		case err != nil:
			return nil, err
		case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusGone: // Gone: the log covers it
			return nil, fault.New(fault.NotFound, "ledger.not_served", "%s is not served", path)
		case res.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("status %d", res.StatusCode)
		}
		return b, nil
	}
}
