package indicator

import (
	"strings"
	"unicode"
)

// digitValue returns the value of a decimal digit of any script: Unicode keeps the ten
// digits of a script together and in order, starting with zero.
func digitValue(r rune) (byte, bool) {
	if r >= '0' && r <= '9' {
		return byte(r - '0'), true
	}
	if r < 0x660 { // the first digits after ASCII are the Arabic-Indic ones
		return 0, false
	}
	for _, t := range unicode.Nd.R16 {
		if uint32(r) >= uint32(t.Lo) && uint32(r) <= uint32(t.Hi) {
			return byte((uint32(r) - uint32(t.Lo)) % 10), true
		}
	}
	for _, t := range unicode.Nd.R32 {
		if uint32(r) >= t.Lo && uint32(r) <= t.Hi {
			return byte((uint32(r) - t.Lo) % 10), true
		}
	}
	return 0, false
}

// fold writes digits of every script, full-width letters and signs, and the many dashes
// and spaces as their ASCII counterparts, and drops joiners. Letters of other scripts stay:
// a Cyrillic А is not an A.
func fold(s string) (string, bool) {
	if isASCII(s) {
		return s, false
	}
	folded := strings.Map(foldRune, s)
	return folded, folded != s
}

func foldRune(r rune) rune {
	if r < 0x80 {
		return r
	}
	if v, ok := digitValue(r); ok {
		return rune('0' + v)
	}
	switch {
	case r >= 0xFF01 && r <= 0xFF5E: // full-width ASCII
		return r - 0xFEE0
	case r >= 0x2010 && r <= 0x2015, r == 0x2212, r == 0xFE63:
		return '-'
	case r == 0xFE62:
		return '+'
	case r == 0x200C, r == 0x200D: // joiners, which only letters can have
		return -1
	case unicode.Is(unicode.Zs, r):
		return ' '
	}
	return r
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// onlyOf reports whether s is not empty and every byte of it satisfies ok.
func onlyOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(b byte) bool    { return b >= '0' && b <= '9' }
func isUpper(b byte) bool    { return b >= 'A' && b <= 'Z' }
func isLower(b byte) bool    { return b >= 'a' && b <= 'z' }
func isUpperNum(b byte) bool { return isDigit(b) || isUpper(b) }
func isLowerNum(b byte) bool { return isDigit(b) || isLower(b) }
func isHexLower(b byte) bool { return isDigit(b) || (b >= 'a' && b <= 'f') }

// placeholder reports number parts that people type to fill a field: one digit repeated,
// or all digits in ascending or descending order (9 and 0 are neighbours).
func placeholder(digits string) bool {
	if len(digits) < 3 {
		return false
	}
	step := (digits[1] - digits[0] + 10) % 10
	if step != 0 && step != 1 && step != 9 {
		return false
	}
	if step != 0 && len(digits) < 6 {
		return false
	}
	for i := 1; i < len(digits); i++ {
		if (digits[i]-digits[i-1]+10)%10 != step {
			return false
		}
	}
	return true
}

// foldWidth writes full-width ASCII as ASCII and leaves everything else, for names in
// which a digit of another script is another name.
func foldWidth(s string) (string, bool) {
	if isASCII(s) {
		return s, false
	}
	folded := strings.Map(func(r rune) rune {
		if r >= 0xFF01 && r <= 0xFF5E {
			return r - 0xFEE0
		}
		return r
	}, s)
	return folded, folded != s
}
