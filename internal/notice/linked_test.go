package notice

import "testing"

func TestAddressesAreLinks(t *testing.T) {
	for value, want := range map[string]string{
		"plain & simple":          "plain &amp; simple",
		"https://example.com/?a":  `<a href="https://example.com/?a">https://example.com/?a</a>`,
		"https://example.com/a&b": `<a href="https://example.com/a&amp;b">https://example.com/a&amp;b</a>`,
		"/privacy/notice":         `<a href="/privacy/notice">/privacy/notice</a>`,
		"Terms <new> (https://example.com/t), looked at on 2026-11-01": `<a href="https://example.com/t">Terms &lt;new&gt;</a>, looked at on 2026-11-01`,
		"javascript:alert(1)":              "javascript:alert(1)",
		"x (javascript:alert)":             "x (javascript:alert)",
		`https://example.com/" onclick="x`: "https://example.com/&#34; onclick=&#34;x",
		"/ledger/checkpoint":               "/ledger/checkpoint",
	} {
		if got := string(linked(value)); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}
