package indicator

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// usualRaw bounds raw text in bytes: a whole machine-readable zone or a long profile
// address fits, a pasted paragraph does not.
const usualRaw = 1024

// clean trims a raw cell, removes invisible characters and the marks with which
// spreadsheets force text, and refuses what is not text.
func clean(raw string, maxRaw int) (string, []Change, *Rejection) {
	if len(raw) > maxRaw {
		return "", nil, reject(ReasonTooLong)
	}
	if !utf8.ValidString(raw) {
		return "", nil, reject(ReasonNotText)
	}
	var changes []Change
	s := raw
	if i := strings.IndexFunc(s, invisible); i >= 0 {
		s = strings.Map(func(r rune) rune {
			if invisible(r) {
				return -1
			}
			return r
		}, s)
		changes = append(changes, changeInvisible)
	}
	s = strings.TrimSpace(s)
	if t, ok := textMark(s); ok {
		s = t
		changes = append(changes, changeTextMark)
	}
	if s == "" {
		return "", nil, reject(ReasonEmpty)
	}
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' {
			return "", nil, reject(ReasonNotText)
		}
	}
	return s, changes, nil
}

// textMark undoes ="…" and a leading apostrophe.
func textMark(s string) (string, bool) {
	if t, ok := strings.CutPrefix(s, `="`); ok {
		if t, ok := strings.CutSuffix(t, `"`); ok {
			return strings.TrimSpace(t), true
		}
	}
	if t, ok := strings.CutPrefix(s, "'"); ok {
		return strings.TrimSpace(t), true
	}
	return s, false
}

// invisible covers byte order marks, zero-width spaces, soft hyphens and the marks that
// steer writing direction: all get into cells by copying and none is ever seen. The two
// joiners are not among them: in domains and names of some scripts they count.
func invisible(r rune) bool {
	if r < 0xAD {
		return false
	}
	return r == 0xAD || r == 0x61C || r == 0x180E || r == 0xFEFF || r == 0x2060 ||
		r == 0x200B || r == 0x200E || r == 0x200F || (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069)
}
