package transit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/transit"
)

var route = transit.Route{Move: "mov_us1_a", Tenant: "acme", From: "ie1", To: "us1"}

func TestWhatIsSealedOpensForItsPlaceAlone(t *testing.T) {
	k, err := transit.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := k.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	again, err := transit.ParseKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	other, _ := transit.NewKey()
	sealed, err := transit.Seal(k.Public(), route, transit.PartPage, 3, []byte("ann@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("ann@")) {
		t.Fatal("it isn't sealed")
	}
	if plain, err := again.Open(route, transit.PartPage, 3, sealed); err != nil || string(plain) != "ann@example.com" {
		t.Errorf("%q, %v", plain, err)
	}
	elsewhere := func(change func(*transit.Route)) transit.Route { r := route; change(&r); return r }
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another page": func() ([]byte, error) { return k.Open(route, transit.PartPage, 4, sealed) },
		"another part": func() ([]byte, error) { return k.Open(route, transit.PartPerson, 3, sealed) },
		"another key":  func() ([]byte, error) { return other.Open(route, transit.PartPage, 3, sealed) },
		"altered":      func() ([]byte, error) { return k.Open(route, transit.PartPage, 3, flipped) },
		"cut short":    func() ([]byte, error) { return k.Open(route, transit.PartPage, 3, sealed[:20]) },
		"nothing":      func() ([]byte, error) { return k.Open(route, transit.PartPage, 3, nil) },
		"another move": func() ([]byte, error) {
			return k.Open(elsewhere(func(r *transit.Route) { r.Move = "mov_us1_b" }), transit.PartPage, 3, sealed)
		},
		"another tenant": func() ([]byte, error) {
			return k.Open(elsewhere(func(r *transit.Route) { r.Tenant = "globex" }), transit.PartPage, 3, sealed)
		},
		"another source": func() ([]byte, error) {
			return k.Open(elsewhere(func(r *transit.Route) { r.From = "au1" }), transit.PartPage, 3, sealed)
		},
		"another target": func() ([]byte, error) {
			return k.Open(elsewhere(func(r *transit.Route) { r.To = "au1" }), transit.PartPage, 3, sealed)
		},
	} {
		if plain, err := open(); fault.ReasonOf(err) != "move.altered" || plain != nil {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); s != "[key] [key] [key] [key]" {
		t.Errorf("a key prints %s", s)
	}
	if transit.CheckPublic(k.Public()) != nil || fault.ReasonOf(transit.CheckPublic(k.Public()[1:])) != "move.bad_key" || transit.CheckPublic(nil) == nil {
		t.Error("public keys are not told from what is none")
	}
}

func TestSecretsAndMACs(t *testing.T) {
	secret, commitment := transit.NewSecret()
	other, _ := transit.NewSecret()
	if !transit.Reveals(secret, commitment) || transit.Reveals(other, commitment) || transit.Reveals(nil, nil) || transit.Reveals(secret, nil) {
		t.Error("a commitment is to its secret alone")
	}
	a := transit.MAC(secret, "ack", "x", "yz")
	for name, b := range map[string][]byte{"parts": transit.MAC(secret, "ack", "xy", "z"), "what": transit.MAC(secret, "person", "x", "yz"),
		"key": transit.MAC(other, "ack", "x", "yz"), "less": transit.MAC(secret, "ack", "x")} {
		if bytes.Equal(a, b) {
			t.Errorf("%s makes no difference", name)
		}
	}
}

const aPage = `{"from":"","next":"01","records":[{"id":"rec_x","service":"cdp","kind":"track","source":"src_ie1_x","adapter":"segment","occurred_at":5,"received_at":6,
	"parts":[{"category":"contact","plain":"Am0xeyJhIjoxfQ=="},{"category":"usage","nobody":true,"plain":"AHt9"}]}]}`

const aPerson = `{"subject":"sub_aaaaaaaaaaaaaaaaaaaa","members":["sub_aaaaaaaaaaaaaaaaaaaa"],"created_at":1,"trusted":true,
	"reasons":{"restricted":"asked"},"identifiers":[{"type":"email","value":"a@example.com","source":"src_ie1_x","created_at":1}]}`

// FuzzContent checks that what isn't of the format gives nothing and no panic, and that what is can be
// written and read again.
func FuzzContent(f *testing.F) {
	for _, s := range []string{aPage, aPerson, `{"ack_key":"","release":"","cancel":""}`, `{}`, `[]`, `{"records":[{}]}`, `{"from":"","next":"","records":[]} {}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := transit.DecodePage(b); err == nil {
			for _, r := range p.Records {
				for i := range r.Parts {
					if _, doc, ok := r.Parts[i].Split(); !ok || !json.Valid(doc) || r.ID == "" || r.Kind == "" {
						t.Fatalf("kept %+v", r)
					}
				}
			}
			again, _ := json.Marshal(p)
			if _, err := transit.DecodePage(again); err != nil {
				t.Fatalf("written and not read: %s", again)
			}
		}
		if p, err := transit.DecodePerson(b); err == nil {
			p.Sort()
			for _, i := range p.Identifiers {
				if i.Type == "" || i.Value == "" {
					t.Fatalf("kept %+v", i)
				}
			}
			again, _ := json.Marshal(p)
			if _, err := transit.DecodePerson(again); err != nil {
				t.Fatalf("written and not read: %s", again)
			}
		}
		if h, err := transit.DecodeHello(b); err == nil && len(h.AckKey) != transit.SecretBytes {
			t.Fatalf("kept %+v", h)
		}
	})
}

func TestGoodContentIsRead(t *testing.T) {
	if p, err := transit.DecodePage([]byte(aPage)); err != nil || len(p.Records) != 1 || len(p.Records[0].Parts) != 2 {
		t.Errorf("%+v, %v", p, err)
	} else if id, doc, ok := p.Records[0].Parts[0].Split(); !ok || string(id) != "m1" || string(doc) != `{"a":1}` {
		t.Errorf("%q %q", id, doc)
	}
	if p, err := transit.DecodePerson([]byte(aPerson)); err != nil || len(p.Identifiers) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSortMakesOneOrder(t *testing.T) {
	a := transit.Identifier{Type: "email", Value: "a"}
	claimed, late := a, a
	claimed.Claimed, late.CreatedAt = true, 9
	b := transit.Identifier{Type: "email", Value: "b"}
	p := transit.Person{Members: []string{"y", "x"}, Identifiers: []transit.Identifier{b, claimed, late, a}}
	q := transit.Person{Members: []string{"x", "y"}, Identifiers: []transit.Identifier{late, a, claimed, b}}
	p.Sort()
	q.Sort()
	if x, y := fmt.Sprint(p), fmt.Sprint(q); x != y || len(p.Identifiers) != 3 || p.Identifiers[0] != a {
		t.Errorf("%s\n%s", x, y)
	}
}
