package bulk_test

import (
	"os"
	"strings"
	"sync"
	"testing"

	"domicile.dev/internal/fault"
	"domicile.dev/internal/ingest/bulk"
)

func TestAFileThatIsChangedMeanwhileIsNotDone(t *testing.T) {
	for name, change := range map[string]func(f *os.File) error{
		"in place": func(f *os.File) error { _, err := f.WriteAt([]byte(strings.Repeat(" ", 4<<10)), 1<<20); return err },
		"at its end": func(f *os.File) error {
			_, err := f.WriteAt([]byte("{\"id\":\"late\"}\n"), 1<<26)
			return err
		},
		"shorter": func(f *os.File) error { return f.Truncate(5 << 20) },
	} {
		t.Run(name, func(t *testing.T) {
			path, _, _, _ := input(t)
			n := &node{has: map[string]bool{}}
			var once sync.Once
			n.fails = func() error { // while a batch is on its way
				once.Do(func() {
					f, err := os.OpenFile(path, os.O_WRONLY, 0)
					if err != nil {
						t.Error(err)
						return
					}
					defer f.Close()
					if err := change(f); err != nil {
						t.Error(err)
					}
				})
				return nil
			}
			j, err := run(t, t.Context(), path, n)
			if fault.ReasonOf(err) != "import.changed" || j.Done() {
				t.Errorf("done is %v, %v; want import.changed", j.Done(), err)
			}
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := bulk.OpenJournal(path+".import", path+".bad", f, []byte("node"), []byte("key")); fault.ReasonOf(err) != "import.other_state" {
				t.Errorf("once more: %v, want import.other_state", err)
			}
		})
	}
}
