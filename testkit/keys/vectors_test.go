package keys_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/id"
	"domicile.dev/internal/seal"
	"domicile.dev/internal/store"
	"domicile.dev/internal/store/sqlite"
	"domicile.dev/internal/store/sqlstore"
	"domicile.dev/internal/tenant"
	"domicile.dev/internal/vault"
)

var update = flag.Bool("update", false, "write vectors.json anew")

// hexBytes are bytes that JSON shows in hex.
type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

type (
	ringKey struct {
		Key   hexBytes `json:"key"`
		Check hexBytes `json:"check"`
	}
	wrapped struct {
		Tenant  string   `json:"tenant"`
		Subject hexBytes `json:"subject"`
		Epoch   uint32   `json:"epoch"`
		AD      hexBytes `json:"ad"`
		Key     hexBytes `json:"key"`
		Wrapped hexBytes `json:"wrapped"`
	}
	blinder struct {
		Tenant      string   `json:"tenant"`
		Index       hexBytes `json:"index_key"`
		Client      hexBytes `json:"client_key"`
		Suppression hexBytes `json:"suppression_key"`
	}
	identifier struct {
		Tenant string   `json:"tenant"`
		Type   string   `json:"type"`
		Value  string   `json:"value"`
		Blind  hexBytes `json:"blind"`
	}
	clientKey struct {
		Tenant    string   `json:"tenant"`
		Source    string   `json:"source"`
		Kind      string   `json:"kind"`
		Qualifier string   `json:"qualifier"`
		ClientID  string   `json:"client_id"`
		Prefix    hexBytes `json:"prefix"`
		Key       hexBytes `json:"client_key"`
	}
	nobody struct {
		Tenant string   `json:"tenant"`
		Chunk  hexBytes `json:"chunk"`
		Key    hexBytes `json:"key"`
	}
	source struct {
		Tenant    string   `json:"tenant"`
		Source    string   `json:"source"`
		Adapter   string   `json:"adapter"`
		Key       hexBytes `json:"key"`
		AD        hexBytes `json:"ad"`
		Plaintext string   `json:"plaintext"`
		Sealed    hexBytes `json:"sealed"`
	}
	vectors struct {
		Format      string             `json:"format"`
		Region      string             `json:"region"`
		Keyring     map[string]ringKey `json:"keyring"`
		Wrapped     []wrapped          `json:"wrapped"`
		Blinders    []blinder          `json:"blinders"`
		Identifiers []identifier       `json:"identifiers"`
		Suppressed  []identifier       `json:"suppressed"`
		ClientKeys  []clientKey        `json:"client_keys"`
		Nobody      []nobody           `json:"nobody"`
		Sources     []source           `json:"sources"`
	}
)

const region = "ie1"

// The format once more, with nothing but the standard library.

func fill(label string, n int) []byte { h := sha256.Sum256([]byte(label)); return h[:n] }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func name(s string) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...) }

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(join(parts...))
	return h.Sum(nil)
}

func expand(key []byte, parts ...[]byte) []byte {
	out, err := hkdf.Expand(sha256.New, key, string(join(parts...)), 32)
	if err != nil {
		panic(err)
	}
	return out
}

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

func build() vectors {
	v := vectors{Format: "domicile keys 1", Region: region, Keyring: map[string]ringKey{}}
	for _, n := range []string{"epoch/000001", "index/1", "client/1", "suppression/1", "nobody/1", "ledger/1", "check/1"} {
		k := fill(n, 32)
		v.Keyring[n] = ringKey{k, mac(k, []byte("domicile check 1\x00"), name(region), name(n))[:16]}
	}
	for _, tenant := range []string{"acme", "globex"} {
		info := join([]byte("domicile blind 1\x00"), name(region), name(tenant))
		index, client, suppression := expand(v.Keyring["index/1"].Key, info), expand(v.Keyring["client/1"].Key, info), expand(v.Keyring["suppression/1"].Key, info)
		v.Blinders = append(v.Blinders, blinder{tenant, index, client, suppression})

		s := fill("subject of "+tenant, 12)
		ad := join([]byte("domicile value 1\x00person key 1\x00"), name(region), name(tenant), s, []byte{0, 0, 0, 1})
		nonce, key := fill("nonce of "+tenant, 12), fill("person key of "+tenant, 32)
		v.Wrapped = append(v.Wrapped, wrapped{tenant, s, 1, ad, key,
			gcm(v.Keyring["epoch/000001"].Key).Seal(bytes.Clone(nonce), nonce, key, ad)})

		for _, i := range [][2]string{{"email", "aoife.synthetic@example.com"}, {"phone", "+447700900101"}, {"user_id", "user-ie-0001"}, {"user_id", ""}} {
			in := join([]byte{1}, name(i[0]), []byte(i[1]))
			v.Identifiers = append(v.Identifiers, identifier{tenant, i[0], i[1], mac(index, in)[:16]})
			v.Suppressed = append(v.Suppressed, identifier{tenant, i[0], i[1], mac(suppression, in)[:16]})
		}
		for _, c := range [][4]string{
			{"src_ie1_segment", "track", "", "node-next-1795329914791-915a6286-fa6b-4e4c-9167-e9a2e3d6950e"},
			{"src_ie1_twilio", "message.status", "sent", "SM0123456789abcdef0123456789abcdef"},
			{"src_ie1_twilio", "message.status", "delivered", "SM0123456789abcdef0123456789abcdef"},
		} {
			prefix := mac(client, []byte{2}, []byte(c[3]))[:6]
			tail := mac(client, []byte{3}, name(c[0]), name(c[1]), name(c[2]), []byte(c[3]))[:6]
			v.ClientKeys = append(v.ClientKeys, clientKey{tenant, c[0], c[1], c[2], c[3], prefix, join(prefix, tail)})
		}
		chunk := fill("chunk", 12)
		v.Nobody = append(v.Nobody, nobody{tenant, chunk,
			expand(v.Keyring["nobody/1"].Key, []byte("domicile nobody 1\x00"), name(region), name(tenant), chunk)})

		for _, s := range [][2]string{{"twilio", `{"secret":"syntheticAuthTokenNotASecret0001"}`},
			{"whatsapp", `{"secret":"syntheticAppSecretNotASecret0001","verify_token":"dwv_ie1_synthetic"}`}} {
			sid := "src_ie1_" + tenant + s[0]
			key := expand(v.Keyring["nobody/1"].Key, []byte("domicile source 1\x00"), name(region), name(tenant), name(sid))
			ad := join([]byte("domicile value 1\x00source secrets 1\x00"), name(region), name(tenant), name(sid), name(s[0]))
			nonce := fill("nonce of "+sid, 12)
			v.Sources = append(v.Sources, source{tenant, sid, s[0], key, ad, s[1], gcm(key).Seal(bytes.Clone(nonce), nonce, []byte(s[1]), ad)})
		}
	}
	return v
}

func load(t *testing.T) (v vectors) {
	t.Helper()
	want, err := json.MarshalIndent(build(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("vectors.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile("vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Error("vectors.json is not what the standard library computes")
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// fixed is a keyring of the vectors' keys: what a KMS is, the outside.
type fixed map[string]ringKey

func (f fixed) Get(_ context.Context, n string) ([]byte, error) {
	if k, ok := f[n]; ok {
		return bytes.Clone(k.Key), nil
	}
	return nil, fault.New(fault.NotFound, "keyring.no_key", "no key %s", n)
}
func (f fixed) Create(ctx context.Context, n string) ([]byte, error) { return f.Get(ctx, n) }
func (f fixed) Destroy(context.Context, string) error                { return nil }
func (f fixed) List(context.Context) ([]string, error) {
	return slices.DeleteFunc(slices.Collect(maps.Keys(f)), func(n string) bool { return n == vault.CheckKey }), nil
}

func open(t *testing.T, v vectors) (*vault.Vault, store.DB) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	x, err := vault.Open(t.Context(), db, sqlstore.Vaults{}, fixed(v.Keyring), vault.Options{Region: region})
	if err != nil {
		t.Fatal(err)
	}
	return x, db
}

// same says whether two keys are: keys don't show themselves.
func same(t *testing.T, k *seal.Key, raw []byte) bool {
	t.Helper()
	want, err := seal.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.OpenBytes(k, nil, seal.SealBytes(want, nil, []byte("x")))
	return err == nil && string(got) == "x"
}

func TestKeysAreAsTheVectorsSay(t *testing.T) {
	v := load(t)
	x, db := open(t, v)
	for _, w := range v.Wrapped {
		k, err := x.Unwrap(w.Tenant, id.Subject(w.Subject), vault.Wrapped{Epoch: w.Epoch, Bytes: w.Wrapped})
		if err != nil || !same(t, k, w.Key) {
			t.Errorf("wrapped key of %s: %v", w.Tenant, err)
		}
	}
	for _, n := range v.Nobody {
		if !same(t, x.Nobody(n.Tenant, id.Chunk(n.Chunk)), n.Key) {
			t.Errorf("nobody's key of %s is another", n.Tenant)
		}
	}
	for n, k := range v.Keyring {
		var got []byte
		if err := db.View(t.Context(), func(tx store.Tx) (err error) {
			if n == vault.EpochName(1) {
				es, err := sqlstore.Vaults{}.Epochs(tx)
				got = es[0].Check
				return err
			}
			if n == vault.IndexName(1) {
				is, err := sqlstore.Vaults{}.IndexVersions(tx)
				got = is[0].Check
				return err
			}
			got, err = sqlstore.Vaults{}.Meta(tx, "vault/check/"+n)
			return err
		}); err != nil || !bytes.Equal(got, k.Check) {
			t.Errorf("check value of %s: %x, %v, want %x", n, got, err, k.Check)
		}
	}
}

// noLedger enters nothing.
type noLedger struct{}

func (noLedger) Enter(store.Tx, string, string, any) (id.Entry, error) { return id.Entry{}, nil }
func (noLedger) Entered()                                              {}

func TestSecretsOfSourcesAreAsTheVectorsSay(t *testing.T) {
	v := load(t)
	x, db := open(t, v)
	if err := db.Do(t.Context(), func(tx store.Tx) error {
		for i, s := range v.Sources {
			if !same(t, x.SourceKey(s.Tenant, s.Source), s.Key) {
				t.Errorf("the key of %s is another", s.Source)
			}
			no := uint32(1 + i/2)
			if err := (sqlstore.Tenants{}).PutTenant(tx, tenant.Tenant{No: no, ID: s.Tenant}); err != nil {
				return err
			}
			if err := (sqlstore.Tenants{}).PutSource(tx, tenant.StoredSource{Sealed: s.Sealed, Secret: tenant.Secret{Hash: fill(s.Source, 32)},
				Source: tenant.Source{Tenant: no, ID: s.Source, Adapter: s.Adapter}}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	tenants, err := tenant.Open(t.Context(), db, sqlstore.Tenants{}, noLedger{}, tenant.Options{Region: region, Keys: x})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range v.Sources {
		var want struct {
			Secret      string `json:"secret"`
			VerifyToken string `json:"verify_token"`
		}
		if err := json.Unmarshal([]byte(s.Plaintext), &want); err != nil {
			t.Fatal(err)
		}
		h, err := tenants.Hook(s.Source)
		if err != nil || len(h.Secrets) != 1 || h.Secrets[0] != tenant.Secrets(want) {
			t.Errorf("the secrets of %s: %v, want those of the plaintext", s.Source, err)
		}
	}
}

func TestBlindValuesAreAsTheVectorsSay(t *testing.T) {
	v := load(t)
	x, _ := open(t, v)
	for i, c := range v.Identifiers {
		if got := x.IndexKeys().Blinder(c.Tenant).Identifier(c.Type, []byte(c.Value)); !bytes.Equal(got[:], c.Blind) {
			t.Errorf("identifier %d: %x, want %x", i, got, c.Blind)
		}
	}
	for i, c := range v.Suppressed {
		if got := x.Suppressor(c.Tenant).Identifier(c.Type, []byte(c.Value)); !bytes.Equal(got[:], c.Blind) {
			t.Errorf("suppressed %d: %x, want %x", i, got, c.Blind)
		}
	}
	for i, c := range v.ClientKeys {
		b := x.Clients(c.Tenant)
		if got := b.ClientPrefix([]byte(c.ClientID)); !bytes.Equal(got[:], c.Prefix) {
			t.Errorf("client prefix %d: %x, want %x", i, got, c.Prefix)
		}
		if got := b.ClientKey(c.Source, c.Kind, c.Qualifier, []byte(c.ClientID)); !bytes.Equal(got[:], c.Key) {
			t.Errorf("client key %d: %x, want %x", i, got, c.Key)
		}
	}
}
