package notice

// plain are facts of the pages that are in the language of the programme alone: assurance, controls, transfers
// and documents.
type plain []Fact

// put adds values under a label; what is empty is left out.
func (f *plain) put(label string, values ...string) {
	var full []string
	for _, v := range values {
		if v != "" {
			full = append(full, v)
		}
	}
	if n := len(*f); n > 0 && (*f)[n-1].Label == label { // said of more than one
		(*f)[n-1].Values = append((*f)[n-1].Values, full...)
	} else if len(full) > 0 {
		*f = append(*f, Fact{label, full, label})
	}
}

func (f *plain) putIf(yes bool, label, value string) {
	if yes {
		f.put(label, value)
	}
}
