package publish

import (
	"net/netip"
	"testing"
	"time"

	"domicile.dev/internal/programme"
)

func TestWhichAddressesArePublic(t *testing.T) {
	for address, want := range map[string]bool{
		"1.1.1.1": true, "93.184.216.34": true, "172.32.0.1": true, "100.128.0.1": true, "192.0.1.1": true, "2606:4700::1111": true, "2a00:1450::1": true, "::ffff:1.1.1.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false,
		"169.254.169.254": false, "100.64.0.1": false, "192.0.0.8": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.7": false, "203.0.113.9": false, "224.0.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false,
		"fc00::1": false, "fd00:ec2::254": false, "fec0::1": false, "ff02::1": false, "64:ff9b::a00:1": false, "64:ff9b:1::a00:1": false, "2002:a00:1::": false, "2001::1": false, "2001:db8::1": false, "3fff::1": false,
		"2606:4700::1111%eth0": false,
	} {
		if got := public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
	if public(netip.Addr{}) {
		t.Error("no address is public")
	}
}

func TestHost(t *testing.T) {
	for address, want := range map[string]string{"https://Hooks.example.com:8443/x": "hooks.example.com", "https://hooks.example.com./": "hooks.example.com", "https://[2001:DB8::1]/": "2001:db8::1", "": "", "https://%zz": ""} {
		if got := Host(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// What of an address's answers ends a subscription: refusals for good soon, what may be this node's fault late.
func TestWhatIsARefusal(t *testing.T) {
	for code, want := range map[string]bool{"smtp.550": true, "smtp.450": false, "webhook.410": true, "webhook.404": true, "webhook.403": true, "webhook.408": false, "webhook.425": false,
		"webhook.429": false, "webhook.500": false, "webhook.302": false, "webhook.unreachable": false, "webhook.private": false, "timeout": false} {
		m := Message{State: failed, Code: code}
		if m.refused() != want {
			t.Errorf("%s: %v", code, !want)
		}
		if m.State = queued; m.refused() {
			t.Errorf("%s of what is queued counts", code)
		}
	}
	var r row
	for _, so := range []bool{true, true, false, true} {
		r.count(so)
	}
	if r.n != 2 {
		t.Errorf("%d in a row, want 2", r.n)
	}
}

func TestStatesOfAnObjection(t *testing.T) {
	day := func(d string) programme.Day { return programme.FirstDay(programme.Date(d)) }
	made, later := time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 10, 0, 0, 0, time.UTC)
	kept, lifted := Settlement{At: later, Outcome: Kept}, Settlement{At: later, Outcome: Lifted, Reason: "tenant_agreed"}
	for _, tt := range []struct {
		o          Objection
		day, until string
		want       string
		stands     bool
	}{
		{Objection{MadeAt: made}, "2026-12-24", "2026-12-24", Open, true},
		{Objection{MadeAt: made}, "2026-12-25", "2026-12-24", Overdue, true},
		{Objection{MadeAt: made, Settled: kept}, "2027-12-25", "2026-12-24", Kept, true},
		{Objection{MadeAt: made, Settled: lifted}, "2027-12-25", "2026-12-24", Lifted, false},
		{Objection{MadeAt: made, WithdrawnAt: later}, "2027-12-25", "2026-12-24", Ended, false},
		{Objection{MadeAt: made, WithdrawnAt: later, Settled: kept}, "2026-12-02", "2026-12-24", Ended, false},
	} {
		if got, stands := tt.o.State(day(tt.day), day(tt.until)), tt.o.Stands(); got != tt.want || stands != tt.stands || stands != tt.o.EndedAt().IsZero() {
			t.Errorf("%+v on %s: %s, %v", tt.o, tt.day, got, stands)
		}
	}
	a, b := Objection{TenantID: "ab", Recipient: "c", MadeAt: made}, Objection{TenantID: "a", Recipient: "bc", MadeAt: made}
	if a.ID() == b.ID() || len(a.ID()) != len("obj_")+20 {
		t.Errorf("%s, %s", a.ID(), b.ID())
	}
}

// An answer that doesn't repeat the word subscribes nobody.
func FuzzRepeats(f *testing.F) {
	const word = "8cSSMjf9wk-0"
	for _, seed := range []string{`{"challenge":"8cSSMjf9wk-0"}`, `{"challenge":""}`, `{}`, `null`, `"8cSSMjf9wk-0"`, `[{"challenge":"8cSSMjf9wk-0"}]`, `{"challenge":"8cSSMjf9wk-0"} x`, ``} {
		f.Add([]byte(seed), word)
	}
	f.Fuzz(func(t *testing.T, answer []byte, other string) {
		if repeats(answer, word) && other != word && repeats(answer, other) {
			t.Errorf("%q repeats %q and %q", answer, word, other)
		}
		if repeats(answer, "") {
			t.Errorf("%q repeats nothing", answer)
		}
	})
}
