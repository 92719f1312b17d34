package cloudevents

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"domicile.dev/internal/scan"
)

// prefix is what names of headers that are attributes begin with, as net/http writes them.
const prefix = "Ce-"

// binary decodes a request whose headers are the attributes and whose body is the data: it is
// written as the JSON format has it, and then read as any other.
func (d *decoder) binary(header http.Header) error {
	e := d.b.Add(0)
	event, wrong := attributes(header)
	if wrong != "" {
		d.b.Refuse(e, "event.bad_attribute", wrong)
		return nil
	}
	data, err := d.dataOf(header.Get("Content-Type"))
	if err == nil {
		err = d.b.Doc.ParseAll(d.b.Hold([]byte("{"), event, data, []byte("}")), scan.Limits{})
	}
	var broken *scan.Error
	if errors.As(err, &broken) {
		if !broken.Sound() {
			return err
		}
		d.b.Refuse(e, reasonOf(err), "data")
		return nil
	}
	d.settle(e)
	return nil
}

// attributes writes the headers that are attributes as members of an object, in order of their
// names. It returns the name that is wrong.
func attributes(header http.Header) (members []byte, wrong string) {
	all := map[string]string{}
	for key, values := range header {
		if len(key) <= len(prefix) || !strings.EqualFold(key[:len(prefix)], prefix) {
			continue
		}
		name := strings.ToLower(key[len(prefix):])
		value, ok := plain(values)
		if _, twice := all[name]; !ok || twice || !nameFits(name) {
			return nil, name
		}
		all[name] = value
	}
	if contentType := header.Get("Content-Type"); contentType != "" {
		value, ok := plain([]string{contentType})
		if !ok {
			return nil, "datacontenttype"
		}
		all["datacontenttype"] = value
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if len(members) > 0 {
			members = append(members, ',')
		}
		members = append(append(members, quote(name)...), ':')
		members = append(members, quote(all[name])...)
	}
	return members, ""
}

// nameFits says whether name can be an attribute's: lower-case letters and digits, and none that
// means the data.
func nameFits(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != "data" && name != "datacontenttype"
}

// plain returns the one value of a header without its quotation marks and percent escapes (HTTP
// binding 3.1.3.2). A percent sign that begins no escape stands for itself. ok is false when there
// are several values, or what comes out is not UTF-8.
func plain(values []string) (value string, ok bool) {
	if len(values) != 1 {
		return "", false
	}
	v := values[0]
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = unquote(v[1 : len(v)-1])
	}
	if strings.IndexByte(v, '%') < 0 {
		return v, utf8.ValidString(v)
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			high, low := hexDigit(v[i+1]), hexDigit(v[i+2])
			if high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, v[i])
	}
	return string(out), utf8.Valid(out)
}

// unquote takes the backslashes out of the inside of a quoted string (RFC 9110, 5.6.4).
func unquote(v string) string {
	if strings.IndexByte(v, '\\') < 0 {
		return v
	}
	out := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		out = append(out, v[i])
	}
	return string(out)
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// dataOf writes the body as a member of the event, after a comma: JSON as it is, a text as one, and
// what is neither in base64. The error is the scanner's, of JSON that is none.
func (d *decoder) dataOf(contentType string) ([]byte, error) {
	switch {
	case len(d.body) == 0:
		return nil, nil
	case isJSON(contentType):
		if err := d.inner.ParseAll(d.body, scan.Limits{UTF8: d.utf8}); err != nil {
			return nil, err
		}
		return append([]byte(`,"data":`), d.body...), nil
	case d.utf8:
		return append([]byte(`,"data":`), quote(string(d.body))...), nil
	}
	return append([]byte(`,"data_base64":`), quote(base64.StdEncoding.EncodeToString(d.body))...), nil
}

// isJSON says whether data of a content type is JSON. Without one it is (JSON format 3.1).
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, _ := mime.ParseMediaType(contentType)
	return strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// quote writes s, which is valid UTF-8, as a JSON string.
func quote(s string) []byte {
	out, err := json.Marshal(s)
	if err != nil {
		panic("cloudevents: " + err.Error()) // a string can always be written
	}
	return out
}
