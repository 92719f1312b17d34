package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// exe is the built domicile, soak whether the long versions run (make soak).
var (
	exe  string
	soak = os.Getenv("DOMICILE_SOAK") == "1"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "domicile-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	if tools, err := filepath.Abs("../.tools/bin"); err == nil { // where scripts/setup puts a newer Node.js
		_ = os.Setenv("PATH", tools+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	exe = filepath.Join(dir, "domicile")
	build := exec.Command("go", "build", "-o", exe, "../cmd/domicile")
	if os.Getenv("DOMICILE_RACE") == "1" {
		build.Args = append(build.Args[:2], append([]string{"-race"}, build.Args[2:]...)...)
	}
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "error: build domicile:", err)
		return 1
	}
	return m.Run()
}
