package objects

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	gcaws "gocloud.dev/aws"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/flow/wire"
)

// bucket keeps objects in S3. One request is one object, which appears when it is complete.
type bucket struct {
	name, prefix string
	client       *s3.Client
	wire         *wire.Client
	clear        bool // plain HTTP to this machine
}

const checksums = "request_checksum_calculation"

// maxAnswerBytes bounds what is read of an answer: at most an error in XML.
const maxAnswerBytes = 64 << 10

func openBucket(ctx context.Context, target string, opt wire.Options) (*bucket, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, badURL("the bucket's address is not of the form s3://bucket")
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, badURL("the bucket's address is not of the form s3://bucket")
	}
	b := &bucket{name: u.Host, prefix: q.Get("prefix")}
	q.Del("prefix")
	endpoint, pathStyle := q.Get("endpoint"), false
	if e, err := url.Parse(endpoint); err == nil {
		pathStyle = net.ParseIP(e.Hostname()) != nil // below an address there are no names
	}
	if v := q.Get("use_path_style"); v != "" {
		if pathStyle, err = strconv.ParseBool(v); err != nil {
			return nil, badURL("use_path_style is neither true nor false")
		}
		q.Del("use_path_style")
	}
	if endpoint != "" {
		if _, b.clear, err = wire.Target(endpoint, "https", "http"); err != nil {
			return nil, badURL("the endpoint is not of the form https://host")
		}
	}
	if q.Get(checksums) == "" { // the signature covers the body, and not everybody's server reads checksums behind it
		q.Set(checksums, "when_required")
	}
	cfg, err := gcaws.V2ConfigFromURLParams(ctx, q)
	if err != nil {
		return nil, badURL("the bucket's address has settings that there aren't")
	}
	b.wire = wire.New(b.clear, opt)
	b.client = s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = pathStyle
		o.RetryMaxAttempts = 1 // when to try again is the flow's to say
	})
	return b, nil
}

// put implements store.
func (b *bucket) put(ctx context.Context, o object) error {
	key := b.prefix + o.name
	length := int64(len(o.body))
	asks := &asker{b: b, minimumTLS: o.minimumTLS}
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(o.body),
		ContentLength: &length, ContentType: &o.contentType}, func(s *s3.Options) { s.HTTPClient = asks })
	switch {
	case err == nil && asks.answer != nil:
		return wire.Classify(asks.answer.Status, asks.answer.RetryAfter)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case asks.err != nil:
		return asks.err
	case asks.answer != nil:
		if err := classify(asks.answer); err != nil {
			return err
		}
	}
	// Before a request was made: credentials, most likely. The SDK's own words may hold addresses.
	return fault.New(fault.Unavailable, "destination.credential", "the bucket can't be asked").
		WithHint("check the credentials in this process's environment, and the bucket's region")
}

// slow are codes of S3's 400s that pass, or that somebody must mend: they are not about the object.
var slow = []string{"RequestTimeout", "SlowDown", "ExpiredToken", "InvalidToken", "TokenRefreshRequired", "AuthorizationHeaderMalformed",
	"RequestTimeTooSkewed", "IncompleteBody", "BadDigest"}

// classify is wire's, but that a bucket which answers 403 doesn't mean the object: it denies us.
func classify(a *wire.Answer) error {
	switch {
	case a.Status == http.StatusForbidden && !bytes.Contains(a.Body, []byte("<Code>")):
		return wire.Classify(a.Status, a.RetryAfter)
	case a.Status == http.StatusForbidden:
		return wire.Classify(http.StatusUnauthorized, a.RetryAfter)
	case a.Status == http.StatusBadRequest:
		for _, code := range slow {
			if bytes.Contains(a.Body, []byte("<Code>"+code+"</Code>")) {
				return wire.Classify(http.StatusServiceUnavailable, a.RetryAfter)
			}
		}
	}
	return wire.Classify(a.Status, a.RetryAfter)
}

func (b *bucket) close() error {
	b.wire.Close()
	return nil
}

// asker is the HTTP client of one request. The SDK's own would follow redirects.
type asker struct {
	b          *bucket
	minimumTLS string

	answer *wire.Answer
	err    error
}

var errClear = errors.New("objects: plain HTTP to a bucket that is not of this machine")

// Do is what the SDK calls.
func (a *asker) Do(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" && !a.b.clear {
		a.err = badURL("the environment gives the bucket an address of plain HTTP").Because(errClear)
		return nil, errClear
	}
	res, answer, err := a.b.wire.Do(req, a.minimumTLS, maxAnswerBytes)
	a.answer, a.err = answer, err
	if err != nil {
		return nil, errors.New(strings.ReplaceAll(fault.ReasonOf(err), ".", " "))
	}
	return res, nil
}
