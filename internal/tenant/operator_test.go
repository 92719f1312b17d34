package tenant_test

import (
	"os"
	"path/filepath"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/tenant"
)

func TestOperatorTokenIsMadeOnceForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "operator.token")
	first, err := tenant.OperatorToken(path, "ie1")
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", st.Mode().Perm(), err)
	}
	if again, err := tenant.OperatorToken(path, "ie1"); err != nil || again != first {
		t.Errorf("the second start has another token, or %v", err)
	}
	_, err = tenant.OperatorToken(path, "us1")
	wantFault(t, err, fault.Invalid, "operator.bad_token")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = tenant.OperatorToken(path, "ie1")
	wantFault(t, err, fault.Invalid, "operator.exposed")
}
