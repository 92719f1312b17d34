package form

import (
	"testing"

	"domicile.dev/internal/programme"
	"domicile.dev/internal/scan"
)

// What is cut to a network or a domain has no whole address in it, in whichever way that is written.
func TestWhatIsCutHoldsNoWholeAddress(t *testing.T) {
	for in, want := range map[string]string{
		"198.51.100.77":          "198.51.100.0/24",
		"::ffff:198.51.100.77":   "198.51.100.0/24",
		"2001:db8:1:2::3":        "2001:db8:1::/48",
		"2002:c633:644d::1":      "2002:c633:6400::/40", // 6to4, RFC 3056: the 32 bits after 2002 are 198.51.100.77
		"64:ff9b::198.51.100.77": "64:ff9b::/48",
		"::198.51.100.77":        "::/48",
		"fe80::1%eth0":           "",
	} {
		if got := network([]byte(in)); got != want {
			t.Errorf("network(%s) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"ann@Example.COM":             "example.com",
		"ann@mail.example.com":        "mail.example.com",
		"ann@198.51.100.77":           "",
		"ann@ip-198-51-100-77.isp.ie": "",
		"ann@0861234567.sms.ie":       "",
		"ann@x25.example.com":         "x25.example.com",
	} {
		if got := domain([]byte(in)); got != want {
			t.Errorf("domain(%s) = %q, want %q", in, got, want)
		}
	}
}

func TestAKeptWordIsNoAddressInDisguise(t *testing.T) {
	l := &leaf{is: programme.IsWord}
	for in, kept := range map[string]bool{
		"Order Completed": true, "50%40": false, "ann%40example.com": false, "ann%2540example.com": false, "ann&#64;example.com": false, "ann&#x40;example.com": false,
		"ann&commat;example.com": false, "50% off": true, "R&D": true,
	} {
		if _, ok := keep(nil, l, []byte(in), scan.String); ok != kept {
			t.Errorf("%q is kept: %v", in, ok)
		}
	}
}
