package person

import (
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

// invisible covers marks that get into cells by copying. The joiner is among them: it
// steers how letters look, and is left out as often as not; so is the Arabic tatweel, which
// only lengthens a line. Of the non-joiner see canonicalName.
func invisible(r rune) bool {
	if r < 0xAD {
		return false
	}
	return r == 0xAD || r == 0x34F || r == 0x640 || r == 0x61C || r == 0x180E || r == 0xFEFF || r == 0x2060 || r == 0x200B || (r >= 0x200D && r <= 0x200F) ||
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
	lower := lowered(folded)
	if lower != folded {
		changes = append(changes, changeCase)
	}
	if lowered(norm.NFKC.String(lower)) != lower {
		return nil, nil, reject(ReasonCharacters) // folding and lower case do not settle
	}
	var names []string
	parts, c := splitVariants(lower)
	changes = append(changes, c...)
	for len(parts) > 0 {
		name, punctuation, r := canonicalName(parts[0])
		if r != nil {
			return nil, nil, r
		}
		if punctuation {
			changes = appendChanges(changes, []Change{changePunctuation})
		}
		parts = parts[1:]
		if name == "" {
			continue
		}
		// Signs that were left out may have hidden a word that divides.
		if again, c := splitVariants(name); len(again) > 1 {
			parts, changes = append(again, parts...), appendChanges(changes, c)
		} else {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil, reject(ReasonNameMissing)
	}
	return names, changes, nil
}

func lowered(s string) string { return norm.NFKC.String(strings.Map(unicode.ToLower, s)) }

// splitVariants cuts a field into the names in it.
func splitVariants(s string) ([]string, []Change) {
	var changes []Change
	written := tables().relations.Replace(s)
	if written != s {
		changes = append(changes, changeRelation)
	}
	parts := strings.Split(tables().dividers.Replace(written), "|")
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
// apostrophes inside words. The non-joiner divides words in Arabic script, as Persian uses it,
// and is nothing elsewhere. It reports whether it left out anything but spaces.
func canonicalName(s string) (name string, punctuation bool, _ *Rejection) {
	var b strings.Builder
	var inner rune // hyphen or apostrophe that is written if a letter follows
	space := false
	for _, r := range s {
		switch {
		case apostrophe(r) || hyphen(r):
			sign := '-'
			if apostrophe(r) {
				sign = '\''
			}
			punctuation = punctuation || r != sign || b.Len() == 0 || space || inner != 0
			if b.Len() > 0 && !space {
				inner = sign
			}
		case unicode.IsLetter(r), unicode.Is(unicode.M, r) && b.Len() > 0 && !space && inner == 0:
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			} else if inner != 0 {
				b.WriteRune(inner)
			}
			space, inner = false, 0
			b.WriteRune(r)
		case r == nonJoiner:
			last, _ := utf8.DecodeLastRuneInString(b.String())
			space = space || unicode.Is(unicode.Arabic, last)
			punctuation = true
		case unicode.IsSpace(r):
			punctuation = punctuation || inner != 0
			space, inner = true, 0
		case strings.ContainsRune(".,:_\"«»“”„·•・۔،", r), unicode.Is(unicode.M, r):
			space, inner, punctuation = true, 0, true
		default:
			return "", false, reject(ReasonCharacters)
		}
	}
	return b.String(), punctuation || inner != 0, nil
}

const nonJoiner = 0x200C

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
