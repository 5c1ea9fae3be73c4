package indicator

import (
	"regexp"
	"strings"
)

var (
	// scientific is what a spreadsheet makes of a long number: 6.14E+10. Even if all
	// digits seem to be there, the cell no longer proves it.
	scientific = regexp.MustCompile(`^[+-]?[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]{1,3}$`)
	// decimal is a number that was read as a quantity: 61412345678.0
	decimal = regexp.MustCompile(`^(\+?[0-9]{5,})[.,]0{1,2}$`)
	// thousands is a number with groups of three: 61,412,345,678
	thousands = regexp.MustCompile(`^\+?[0-9]{1,3}(?:,[0-9]{3}){2,}$`)
	// extension is what follows the number of a switchboard, or a pause.
	extension = regexp.MustCompile(`(?i)(?:;ext=|;?\s*(?:extension|extn|ext|доб)\.?\s*:?|[x#,;]|转|內線|内线)\s*([0-9]{1,7})$`)
)

// scanPhone reads the digits of a cell in any script and refuses what cannot be one number.
func scanPhone(raw string) (written, []Change, *Rejection) {
	var changes []Change
	s, folded := fold(raw)
	if folded {
		changes = append(changes, changeFolded)
	}
	if rest, ok := cutPrefixFold(s, "tel:"); ok {
		s, changes = strings.TrimSpace(rest), append(changes, changeScheme)
	}
	if r := damaged(s); r != nil {
		return written{}, nil, r
	}
	if m := decimal.FindStringSubmatch(s); m != nil {
		s, changes = m[1], append(changes, changeDecimal)
	} else if thousands.MatchString(s) {
		s, changes = strings.ReplaceAll(s, ",", ""), append(changes, changeSeparators)
	}
	s, cut := cutExtension(s)
	if cut {
		changes = append(changes, changeExtension)
	}
	w, separated, r := collect(s)
	if r != nil {
		return written{}, nil, r
	}
	if separated {
		changes = append(changes, changeSeparators)
	}
	return w, changes, nil
}

// cutExtension keeps at least five digits before the mark: fewer are no number of their
// own, and the mark then is a typing error.
func cutExtension(s string) (string, bool) {
	if onlyOf(s, func(b byte) bool { return b == '+' || isDigit(b) }) {
		return s, false // the usual case, without the cost of the pattern
	}
	m := extension.FindStringIndex(s)
	if m == nil || countDigits(s[:m[0]]) < 5 {
		return s, false
	}
	return s[:m[0]], true
}

// damaged finds what spreadsheets leave of a number that they took for a quantity.
func damaged(s string) *Rejection {
	if strings.HasPrefix(s, "#") && !allDigits(s[1:]) {
		return reject(ReasonSpreadsheetDamage) // #REF!, #N/A, ########
	}
	if strings.ContainsAny(s, "eE") && scientific.MatchString(s) {
		return reject(ReasonSpreadsheetDamage)
	}
	return nil
}

// collect takes the digits and refuses everything that is not a digit, the leading + or
// a separator that people write inside one number.
func collect(s string) (written, bool, *Rejection) {
	var w written
	var separated bool
	digits := make([]byte, 0, 2*maxPhoneDigits)
	for i := range len(s) {
		b := s[i]
		switch {
		case isDigit(b):
			digits = append(digits, b)
		case b == '+' && len(digits) == 0 && !w.plus:
			w.plus = true
		case strings.IndexByte(" \t()[]-./", b) >= 0:
			separated = true
		case strings.IndexByte("\n\r;,|&+", b) >= 0 && len(digits) >= 5:
			return written{}, false, reject(ReasonSeveralValues)
		default:
			return written{}, false, reject(ReasonNotANumber)
		}
	}
	w.digits = string(digits)
	switch {
	case len(digits) == 0:
		return written{}, false, reject(ReasonNotANumber)
	case len(digits) > maxPhoneDigits && strings.Contains(s, "/"):
		return written{}, false, reject(ReasonSeveralValues)
	case len(digits) > maxPhoneDigits+5: // room for a dialling prefix
		return written{}, false, reject(ReasonTooLong)
	}
	return w, separated, nil
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(s[i]) {
			n++
		}
	}
	return n
}

// cutPrefixFold is strings.CutPrefix for an ASCII prefix in any case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
