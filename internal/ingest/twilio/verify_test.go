package twilio_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/twilio"
)

type vectors struct {
	Token   string `json:"auth_token"`
	Vectors []struct {
		Note, URL, Signature string
		Params               map[string]any
		WithoutPort          string `json:"signature_without_port"`
		With443              string `json:"signature_443"`
	}
	JSON struct{ URL, Body, Signature string } `json:"json_body"`
}

func signatureVectors(t testing.TB) (v vectors) {
	t.Helper()
	raw, err := os.ReadFile("testdata/signature-vectors.json")
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	if err != nil || len(v.Vectors) < 6 {
		t.Fatalf("%d vectors, %v", len(v.Vectors), err)
	}
	return v
}

// encode writes parameters as a form, in no particular order.
func encode(params map[string]any) string {
	values := url.Values{}
	for name, v := range params {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				values.Add(name, e.(string))
			}
		} else {
			values.Set(name, v.(string))
		}
	}
	return values.Encode()
}

func TestVerifyFollowsTheVectors(t *testing.T) {
	v := signatureVectors(t)
	seen := 0
	for _, x := range v.Vectors {
		for _, signature := range []string{x.Signature, x.WithoutPort} {
			if signature == "" {
				continue
			}
			seen++
			if err := twilio.Verify(v.Token, x.URL, signature, formType, []byte(encode(x.Params))); err != nil {
				t.Errorf("%s: %v", x.Note, err)
			}
		}
		if x.With443 != "" {
			seen++
			if err := twilio.Verify(v.Token, strings.Replace(x.URL, ":8443", "", 1), x.With443, formType, []byte(encode(x.Params))); err != nil {
				t.Errorf("%s, with 443: %v", x.Note, err)
			}
		}
	}
	if seen != 8 {
		t.Errorf("%d signatures were looked at", seen)
	}
	if err := twilio.Verify(v.Token, v.JSON.URL, v.JSON.Signature, jsonType, []byte(v.JSON.Body)); err != nil {
		t.Errorf("JSON: %v", err)
	}
}

// sign signs as the vendor does: an implementation of its own, for parameters in order.
func sign(token, url string, ordered ...string) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(url + strings.Join(ordered, "")))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestWhatIsTheSameURL(t *testing.T) {
	for _, tt := range []struct {
		configured, signed string
		same               bool
	}{
		{"https://h.example/t", "https://h.example/t", true},
		{"https://h.example/t", "https://h.example:443/t", true},
		{"http://h.example/t", "http://h.example:80/t", true},
		{"http://h.example/t", "http://h.example:443/t", false},
		{"https://h.example:443/t", "https://h.example/t", true},
		{"https://h.example:8443/t", "https://h.example/t", true},
		{"https://[2001:db8::1]/t", "https://[2001:db8::1]:443/t", true},
		{"https://[2001:db8::1]:8443/t", "https://[2001:db8::1]/t", true},
		{"https://user:pw@h.example/t", "https://user:pw@h.example:443/t", true},
		{"https://h.example", "https://h.example/", true},
		{"https://h.example?x=1:2", "https://h.example/?x=1:2", true},
		{"https://h.example/t?a=1&b=2", "https://h.example/t?b=2&a=1", false},
		{"https://h.example/t?a=o'n", "https://h.example/t?a=o%27n", true},
		{"https://h.example/t?a=o%27n", "https://h.example/t?a=o'n", true}, // decoded and escaped anew
		{"https://h.example/t?a=1+2&a=%c3%a9", "https://h.example/t?a=1%202&a=%C3%A9", true},
		{"https://h.example:8443/t?a&b=1&&a=2", "https://h.example/t?a=&a=2&b=1", true},
		{"https://h.example/{t}?a=\"", "https://h.example/%7Bt%7D?a=%22", true},
		{"https://h.example/t?a=%zz", "https://h.example/t?a=%25zz", true},
		{"https://h.example/t?a=1%262", "https://h.example/t?a=1&2=", false},
		{"https://h.example/t?", "https://h.example/t", false},
		{"https://h.example/t", "https://h.example/t/", false},
		{"https://h.example/t", "http://h.example/t", false},
	} {
		err := twilio.Verify("token", tt.configured, sign("token", tt.signed, "a", "1"), formType, []byte("a=1"))
		if (err == nil) != tt.same {
			t.Errorf("%s signed as %s: %v", tt.configured, tt.signed, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	const u = "https://h.example/t"
	good := sign("token", u, "Body", "Hello", "From", "+447700900101")
	const body = "From=%2B447700900101&Body=Hello"
	if err := twilio.Verify("token", u, good, formType, []byte(body)); err != nil {
		t.Fatal(err)
	}
	jsonBody := `{"transcript_sid":"GT1"}`
	sum := sha256.Sum256([]byte(jsonBody))
	hashed := u + "?bodySHA256=" + hex.EncodeToString(sum[:])
	for name, err := range map[string]error{
		"another token":           twilio.Verify("tokem", u, good, formType, []byte(body)),
		"no signature":            twilio.Verify("token", u, "", formType, []byte(body)),
		"an empty token":          twilio.Verify("", u, sign("", u, "Body", "Hello", "From", "+447700900101"), formType, []byte(body)),
		"one value changed":       twilio.Verify("token", u, good, formType, []byte(body+"!")),
		"a parameter more":        twilio.Verify("token", u, good, formType, []byte(body+"&x=1")),
		"a parameter less":        twilio.Verify("token", u, good, formType, []byte("Body=Hello")),
		"signature with a line":   twilio.Verify("token", u, good+"\n", formType, []byte(body)),
		"two signatures":          twilio.Verify("token", u, good+","+good, formType, []byte(body)),
		"a bad escape":            twilio.Verify("token", u, sign("token", u, "Body", "%zz"), formType, []byte("Body=%zz")),
		"JSON without a hash":     twilio.Verify("token", u, sign("token", u), jsonType, []byte(jsonBody)),
		"JSON that says it's not": twilio.Verify("token", u, sign("token", u), "text/plain", []byte(jsonBody)),
		"JSON changed":            twilio.Verify("token", hashed, sign("token", hashed), jsonType, []byte(jsonBody+" ")),
		"the hash changed":        twilio.Verify("token", u+"?bodySHA256=00", sign("token", hashed), jsonType, []byte(jsonBody)),
		"the hash not the first":  twilio.Verify("token", u+"?bodySHA256=00&"+hashed[len(u)+1:], sign("token", u+"?bodySHA256=00&"+hashed[len(u)+1:]), jsonType, []byte(jsonBody)),
		"an escape in the hash":   twilio.Verify("token", u+"?bodySHA256=%zz", sign("token", u+"?bodySHA256=%zz"), jsonType, []byte(jsonBody)),
		"too large":               twilio.Verify("token", u, sign("token", u, strings.Repeat("x", twilio.MaxBodyBytes+1)), formType, []byte(strings.Repeat("x", twilio.MaxBodyBytes+1))),
	} {
		if fault.KindOf(err) != fault.Unauthenticated || fault.ReasonOf(err) != "signature.mismatch" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "Hello") {
			t.Errorf("%s: the error tells what was sent: %v", name, err)
		}
	}
	if err := twilio.Verify("token", hashed, sign("token", hashed), jsonType, []byte(jsonBody)); err != nil {
		t.Errorf("JSON with its hash: %v", err)
	}
}

// FuzzVerify: what is signed as the vendor signs is verified, and never when one byte differs.
func FuzzVerify(f *testing.F) {
	f.Add("https://h.example/t?q=a", "Body=%C3%A9&a=1&a=0&a=1", "x")
	f.Add("https://h.example", "", "")
	f.Add("h", "=&&=1&%41=%zz", "https://")
	f.Fuzz(func(t *testing.T, u, body, token string) {
		if err := twilio.Verify(token, u, sign(token+"-", u), formType, []byte(body)); err == nil {
			t.Fatal("a signature under another token was taken")
		}
		values, err := url.ParseQuery(body)
		if err != nil || token == "" || strings.Contains(u, "bodySHA256") || strings.Contains(u, "%") || strings.Contains(body, ";") || len(values) > 1 {
			return
		}
		var ordered []string
		for name, list := range values {
			if len(list) == 1 {
				ordered = append(ordered, name, list[0])
			}
		}
		if len(ordered) == 0 {
			return
		}
		good := sign(token, u, ordered...)
		if err := twilio.Verify(token, u, good, formType, []byte(body)); err != nil && strings.Contains(u, "://") {
			t.Fatalf("%q with %q: %v", u, body, err)
		}
		if err := twilio.Verify(token, u, good, formType, []byte(body+"0")); err == nil && !strings.HasSuffix(body, "&") {
			t.Fatal("a body that was changed was taken")
		}
	})
}
