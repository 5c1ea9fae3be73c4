package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity says whether a finding keeps a bundle from being loaded.
type Severity string

// Severities.
const (
	Error   Severity = "error"   // the bundle is refused
	Warning Severity = "warning" // it loads, but a person should look
)

// Finding is one thing that is wrong or doubtful in a rules directory.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line,omitempty"` // from 1; 0 if it concerns the whole file
	Column   int      `json:"column,omitempty"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Remedy   string   `json:"remedy,omitempty"` // what to do about it
}

// String is the finding in one line, as compilers write it.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
		if f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
	}
	fmt.Fprintf(&b, ": %s: %s", f.Severity, f.Text)
	if f.Remedy != "" {
		b.WriteString(". " + f.Remedy)
	}
	return b.String()
}

// InvalidError says why a bundle was refused. It holds at least one finding of
// severity Error.
type InvalidError struct{ Findings []Finding }

// Error names the first errors; the findings have them all.
func (e *InvalidError) Error() string {
	const shown = 3
	var lines []string
	errors := 0
	for _, f := range e.Findings {
		if f.Severity != Error {
			continue
		}
		if errors++; errors <= shown {
			lines = append(lines, f.String())
		}
	}
	text := "the rules are not valid: " + strings.Join(lines, "; ")
	if errors > shown {
		text += fmt.Sprintf("; and %d more", errors-shown)
	}
	return text
}

func sortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Sizes of texts, in bytes.
const (
	maxName = 64  // identifiers and file names
	maxText = 240 // titles and advice
)

// isToken accepts the identifiers of members, purposes and legal bases: 1 to 64
// letters, digits, '-', '_' and '.', beginning with a letter or digit. They stand in
// rules, file names and on screens, so nothing in them may need quoting.
func isToken(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("-_.", r)) {
			return false
		}
	}
	return true
}

// isText accepts one line of printable characters without spaces at its ends.
// Printable excludes the marks that turn the direction of text around.
func isText(s string, limit int) bool {
	if s == "" || len(s) > limit || strings.TrimSpace(s) != s {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// plain makes hostile text harmless for a screen.
func plain(s string, limit int) string {
	cut := false
	if len(s) > limit {
		s, cut = s[:limit], true
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
	if cut {
		s += "…"
	}
	return s
}
