package bulk

import "io"

// cells reads the rows of a CSV file as encoding/csv does with its strict rules, except that no
// row can take more memory than a record may: a longer one is read to its end and left out. So a
// quote that is never closed costs the rest of the file, and not the machine. To begin anew on the
// next line would let a text inside a row pass for rows of its own.
type cells struct {
	src   *source
	comma byte

	text []byte // of all fields of the row
	ends []int  // where each field ends in text
}

// What the reader is in.
type csvState uint8

const (
	atField  csvState = iota // at the first byte of a field
	inPlain                  // in a field without quotes
	inQuotes                 // in a quoted field
	atQuote                  // after a quote in a quoted field
	atReturn                 // after a carriage return that follows a closing quote
	inBad                    // in what is left of the line after a quote that stands wrong
)

// Reasons of rows that are no CSV.
const (
	badQuote = "csv.bad_quote"      // a quote inside of a field without quotes, or text after a closing one
	unclosed = "csv.unclosed_quote" // the file ends in a quoted field
	tooLarge = "record.too_large"
)

// row reads the next row that is not empty. Its fields are good until the next call.
func (c *cells) row() (line int64, reason string, err error) {
	for {
		line = c.src.at.Line + 1
		empty, reason, err := c.read()
		if err != nil || reason != "" || !empty {
			return line, reason, err
		}
	}
}

// field returns field i of the row.
func (c *cells) field(i int) []byte {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	return c.text[from:c.ends[i]]
}

func (c *cells) read() (empty bool, reason string, err error) {
	c.text, c.ends = c.text[:0], c.ends[:0]
	state, began, cr := atField, false, false // cr: the last byte was a carriage return, and is in text
	for from := c.src.at.Offset; ; {
		b, err := c.src.slice()
		if err == io.EOF && c.src.at.Offset > from { //nolint:errorlint // slice returns it bare
			return c.end(state, began, cr, reason)
		} else if err != nil {
			return false, "", err
		}
		for i := 0; i < len(b); i++ {
			ch := b[i]
			if len(c.text) >= maxRow || len(c.ends) >= maxFields {
				reason, c.text, c.ends = tooLarge, c.text[:0], c.ends[:0]
			}
			if ch == '\n' {
				switch state {
				case inQuotes:
					if cr {
						c.text = c.text[:max(0, len(c.text)-1)]
					}
					c.text, cr = append(c.text, '\n'), false
					continue
				case inBad:
					return false, or(reason, badQuote), nil
				}
				return c.end(state, began, cr, reason)
			}
			switch state {
			case atReturn:
				state = inBad
			case atField, inPlain:
				switch {
				case ch == '"' && state == atField:
					state, began = inQuotes, true
				case ch == '"':
					state = inBad
				case ch == c.comma:
					c.ends, state, began = append(c.ends, len(c.text)), atField, true
				default:
					c.text, state = append(c.text, ch), inPlain
				}
				cr = ch == '\r'
			case inQuotes:
				if ch == '"' {
					state, cr = atQuote, false
				} else {
					c.text, cr = append(c.text, ch), ch == '\r'
				}
			case atQuote:
				switch ch {
				case '"':
					c.text, state = append(c.text, '"'), inQuotes
				case c.comma:
					c.ends, state = append(c.ends, len(c.text)), atField
				case '\r':
					state = atReturn
				default:
					state = inBad
				}
			}
		}
	}
}

// end closes the row at the end of a line or of the file.
func (c *cells) end(state csvState, began, cr bool, reason string) (empty bool, _ string, err error) {
	switch state {
	case inBad:
		return false, or(reason, badQuote), nil
	case inQuotes:
		return false, or(reason, unclosed), nil
	}
	if cr {
		c.text = c.text[:max(0, len(c.text)-1)]
	}
	if reason == "" && !began && len(c.text) == 0 {
		return true, "", nil
	}
	c.ends = append(c.ends, len(c.text))
	return false, reason, nil
}

// or returns the first reason that there is.
func or(first, then string) string {
	if first != "" {
		return first
	}
	return then
}

const maxFields = 10_000
