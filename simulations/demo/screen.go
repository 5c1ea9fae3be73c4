package demo

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// width is what the narrowest usual terminal shows, less a margin.
const width = 78

// screen writes the story. The first error ends it and is kept.
type screen struct {
	w    io.Writer // nil: nobody watches
	err  error
	last string // what was written last
}

func (s *screen) write(text string) {
	if s.w == nil || s.err != nil {
		return
	}
	_, s.err = io.WriteString(s.w, text)
	s.last = text
}

// gap leaves one empty line, unless there is one.
func (s *screen) gap() {
	if s.last != "\n" && !strings.HasSuffix(s.last, "\n\n") {
		s.write("\n")
	}
}

// heading begins a step.
func (s *screen) heading(number, of int, title string) {
	line := fmt.Sprintf("── %d of %d ── %s ", number, of, title)
	s.gap()
	s.write(line + strings.Repeat("─", max(0, width-utf8.RuneCountInString(line))) + "\n\n")
}

// say writes a paragraph, broken into lines.
func (s *screen) say(format string, args ...any) {
	s.gap()
	s.write(wrap(fmt.Sprintf(format, args...), "", "") + "\n")
}

// item writes a paragraph that hangs behind a label.
func (s *screen) item(label, format string, args ...any) {
	const indent = 21
	first := "  " + label + strings.Repeat(" ", max(1, indent-2-utf8.RuneCountInString(label)))
	s.write(wrap(fmt.Sprintf(format, args...), first, strings.Repeat(" ", indent)))
}

// line writes a line as it is.
func (s *screen) line(format string, args ...any) { s.write(fmt.Sprintf(format, args...) + "\n") }

// table writes rows in columns, indented.
func (s *screen) table(rows ...[]string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, "  "+strings.Join(r, "\t"))
	}
	_ = w.Flush() // a Builder does not fail
	s.write(b.String())
}

// wrap breaks text at spaces, so that each line with its indent fits the width.
func wrap(text, first, rest string) string {
	var b strings.Builder
	line, used := first, false
	for word := range strings.FieldsSeq(text) {
		if used && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line, used = rest, false
		}
		if used {
			line += " "
		}
		line += word
		used = true
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	if n >= 1000 {
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	}
	return fmt.Sprintf("%d bytes", n)
}

// few writes a small number as a word.
func few(n int) string {
	if words := []string{"none", "one", "two", "three", "four"}; n >= 0 && n < len(words) {
		return words[n]
	}
	return fmt.Sprint(n)
}

// first writes a sentence with a capital letter.
func first(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToUpper(sentence[:1]) + sentence[1:]
}
