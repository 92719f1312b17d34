package register

import (
	"fmt"
	"strings"
	"time"
)

// YAML writes facts as a file of the format, list by list. Parsed again it has the same version as the
// register that they are all of. Who noted a fact and when stands behind it as a comment.
func YAML(facts []Row) []byte {
	var b strings.Builder
	b.WriteString("format: " + Format + "\n")
	for _, kind := range Kinds() {
		first := true
		for i := range facts {
			f := &facts[i]
			if f.Kind != kind || f.Struck() {
				continue
			}
			if first {
				b.WriteString("\n" + kind + ":\n")
				first = false
			}
			fmt.Fprintf(&b, "  - %s%s\n", f.pretty(), f.remark())
		}
	}
	return []byte(b.String())
}

func (r *Row) remark() string {
	if r.ID == "" {
		return ""
	}
	s := " # " + r.ID + ", noted " + r.At.UTC().Format(time.RFC3339) + " by " + r.By
	if r.Assumed {
		s += ", assumed"
	}
	return s
}
