package person

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds of a record. The canonical text fits into an element of 512 bytes, so that a
// person is stored like every other indicator.
const (
	maxRaw       = 1024 // bytes of one raw field
	maxNames     = 8    // names of one person
	maxCanonical = 511  // bytes of canonical text
)

// clean trims a field, removes what is not seen, and refuses what is not text.
func clean(raw string) (string, []Change, *Rejection) {
	if len(raw) > maxRaw {
		return "", nil, reject(ReasonTooLong)
	}
	if !utf8.ValidString(raw) {
		return "", nil, reject(ReasonNotText)
	}
	var changes []Change
	s := raw
	if strings.ContainsFunc(s, invisible) {
		s = strings.Map(func(r rune) rune {
			if invisible(r) {
				return -1
			}
			return r
		}, s)
		changes = append(changes, changeInvisible)
	}
	s = strings.TrimSpace(s)
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

// invisible covers marks that get into cells by copying. The joiners are among them: they
// steer how letters look, and are left out as often as not.
func invisible(r rune) bool {
	if r < 0xAD {
		return false
	}
	return r == 0xAD || r == 0x34F || r == 0x61C || r == 0x180E || r == 0xFEFF || r == 0x2060 || (r >= 0x200B && r <= 0x200F) ||
		(r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069) || (r >= 0xFE00 && r <= 0xFE0F)
}

func digitValue(r rune) (int, bool) {
	if r >= '0' && r <= '9' {
		return int(r - '0'), true
	}
	if r < 0x660 || !unicode.IsDigit(r) {
		return 0, false
	}
	// Unicode keeps the ten digits of a script together and in order.
	zero := r
	for unicode.IsDigit(zero-1) && r-zero < 9 {
		zero--
	}
	return int(r - zero), true
}

// parseNames reads one field that holds a name, and perhaps variants of it.
func parseNames(raw string) ([]string, []Change, *Rejection) {
	s, changes, r := clean(raw)
	if r != nil {
		return nil, nil, r
	}
	folded := norm.NFKC.String(s)
	if folded != norm.NFC.String(s) {
		changes = append(changes, changeFolded)
	}
	lower := norm.NFC.String(strings.Map(unicode.ToLower, folded))
	if lower != folded {
		changes = append(changes, changeCase)
	}
	parts, more := splitVariants(lower)
	changes = append(changes, more...)
	var names []string
	for _, p := range parts {
		name, punctuation, r := canonicalName(p)
		if r != nil {
			return nil, nil, r
		}
		if punctuation && !slices.Contains(changes, changePunctuation) {
			changes = append(changes, changePunctuation)
		}
		if name != "" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil, reject(ReasonNameMissing)
	}
	return names, changes, nil
}

// splitVariants cuts a field into the names in it.
func splitVariants(s string) ([]string, []Change) {
	var changes []Change
	written := strings.NewReplacer("s/o", " bin ", "d/o", " binti ", "w/o", " ", "a/l", " bin ", "a/p", " binti ").Replace(s)
	if written != s {
		changes = append(changes, changeRelation)
	}
	written = strings.NewReplacer("a.k.a.", "|", "a.k.a", "|", " aka ", "|", " alias ", "|", " nee ", "|", " née ", "|",
		"(", "|", ")", "|", "[", "|", "]", "|", "/", "|", "@", "|", ";", "|", "\n", "|").Replace(written)
	parts := strings.Split(written, "|")
	filled := 0
	for _, p := range parts {
		if strings.TrimSpace(p) != "" {
			filled++
		}
	}
	if filled > 1 {
		changes = append(changes, changeVariant)
	}
	return parts, changes
}

// canonicalName keeps letters, marks, single spaces between words, and single hyphens and
// apostrophes inside words.
func canonicalName(s string) (string, bool, *Rejection) {
	var b strings.Builder
	punctuation := false
	inner := rune(0) // hyphen or apostrophe that is written if a letter follows
	space, letters := false, 0
	for _, r := range s {
		switch {
		case unicode.IsLetter(r) || (unicode.Is(unicode.M, r) && b.Len() > 0 && !space):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			} else if inner != 0 {
				b.WriteRune(inner)
			}
			space, inner = false, 0
			b.WriteRune(r)
			letters++
		case unicode.IsSpace(r):
			space, inner = true, 0
		case apostrophe(r) || hyphen(r):
			if b.Len() > 0 && !space {
				inner = '-'
				if apostrophe(r) {
					inner = '\''
				}
			}
			if r != inner {
				punctuation = true
			}
		case strings.ContainsRune(".,:_\"«»“”„·•・۔،", r):
			space, inner, punctuation = true, 0, true
		case unicode.Is(unicode.M, r):
			punctuation = true
		default:
			return "", false, reject(ReasonCharacters)
		}
	}
	if letters == 0 {
		return "", false, nil
	}
	return b.String(), punctuation, nil
}

func apostrophe(r rune) bool {
	switch r {
	case '\'', '`', '´', '‘', '’', '‛', '′', 'ʻ', 'ʼ', 'ʽ', 'ʾ', 'ʿ', 'ʹ', 'ʺ', 'ˈ', '＇':
		return true
	}
	return false
}

func hyphen(r rune) bool {
	return r == '-' || (r >= 0x2010 && r <= 0x2015) || r == 0x2212 || r == 0xFE63 || r == 0x05BE
}
