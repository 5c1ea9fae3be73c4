package indicator

import "strings"

// Machine-readable zones of ICAO Doc 9303: TD3 and MRV-A (part 4, 7) with two lines of
// 44, TD2 and MRV-B (part 6, 7) with two of 36, TD1 (part 5) with three of 30. The line
// with the number may stand alone.

const (
	lineTD1 = 30
	lineTD2 = 36
	lineTD3 = 44
)

// zone is a pasted machine-readable zone, as full lines.
type zone struct {
	width int
	lines []string
}

// zoneLines recognises a zone: after white space is removed it consists of A-Z, 0-9 and
// <, has fillers or a field order that no number has, and the length of whole lines.
func zoneLines(s string) (zone, bool) {
	flat, _ := compact(s, " \t\r\n")
	if !onlyOf(flat, func(b byte) bool { return isUpperNum(b) || b == '<' }) {
		return zone{}, false
	}
	z := zone{}
	switch len(flat) {
	case lineTD3, 2 * lineTD3:
		z.width = lineTD3
	case lineTD2, 2 * lineTD2:
		z.width = lineTD2
	case lineTD1, 3 * lineTD1:
		z.width = lineTD1
	default:
		// Fillers beside an issuer such as D<< are no zone; long runs are a broken one.
		return zone{}, len(flat) >= lineTD1
	}
	for i := 0; i < len(flat); i += z.width {
		z.lines = append(z.lines, flat[i:i+z.width])
	}
	return z, true
}

// readZone finds issuer, number and check digit.
func readZone(z zone, fallback string) (document, []Change, *Rejection) {
	switch {
	case len(z.lines) == 0:
		return document{}, nil, reject(ReasonMalformedZone)
	case z.width == lineTD1:
		return z.readTD1(fallback)
	default:
		return z.readTwoLines(fallback)
	}
}

// readTD1: line 1 has type, issuer, number, digit, optional data; line 2 birth, expiry,
// nationality and the composite digit.
func (z zone) readTD1(fallback string) (document, []Change, *Rejection) {
	first := z.lines[0]
	if !strings.ContainsRune("IAC", rune(first[0])) {
		return document{}, nil, reject(ReasonMalformedZone)
	}
	doc, r := longNumber(first[5:14], first[14], first[15:30])
	if r != nil {
		return document{}, nil, r
	}
	changes, r := doc.issued(first[2:5], fallback)
	if r != nil {
		return document{}, nil, r
	}
	if len(z.lines) == 3 {
		second := z.lines[1]
		if !datesFit(second[0:7], second[8:15]) ||
			zoneDigit(first[5:30]+second[0:7]+second[8:15]+second[18:29]) != second[29] {
			changes = append(changes, changeZoneDigits)
		}
	}
	return doc, changes, nil
}

// readTwoLines: line 2 has number, digit, nationality, birth, sex, expiry, optional data
// and, in passports and TD2 cards, the composite digit. Visas have no composite digit.
func (z zone) readTwoLines(fallback string) (document, []Change, *Rejection) {
	second, kind := z.lines[len(z.lines)-1], byte(0)
	nationality := second[10:13]
	issuer := ""
	if len(z.lines) == 2 {
		kind, issuer = z.lines[0][0], z.lines[0][2:5]
		if !isUpper(kind) {
			return document{}, nil, reject(ReasonMalformedZone)
		}
	}
	if _, _, ok := issuerCode(nationality); !ok || !allDigitsOrFiller(second[13:19]) || !allDigitsOrFiller(second[21:27]) {
		return document{}, nil, reject(ReasonMalformedZone)
	}
	doc, r := z.number(second, kind)
	if r != nil {
		return document{}, nil, r
	}
	changes, r := doc.issuedOrNational(issuer, nationality, fallback)
	if r != nil {
		return document{}, nil, r
	}
	if kind != 'V' && !compositeFits(second) {
		changes = append(changes, changeZoneDigits)
	}
	return doc, changes, nil
}

// number reads the number field; in TD2 cards it may go on in the optional data.
func (z zone) number(second string, kind byte) (document, *Rejection) {
	if z.width == lineTD2 && kind != 'V' {
		return longNumber(second[0:9], second[9], second[28:35])
	}
	return longNumber(second[0:9], second[9], "")
}

// longNumber joins a number of more than nine characters: the digit's place then holds a
// filler, and the rest with its digit leads the optional data, up to a filler.
func longNumber(field string, digit byte, optional string) (document, *Rejection) {
	number := strings.TrimRight(field, "<")
	if digit == '<' && len(number) == len(field) && optional != "" {
		rest, _, ended := strings.Cut(optional, "<")
		if len(rest) < 2 || !ended {
			return document{}, reject(ReasonMalformedZone)
		}
		number, digit = number+rest[:len(rest)-1], rest[len(rest)-1]
	}
	if !isDigit(digit) || number == "" {
		return document{}, reject(ReasonMalformedZone)
	}
	// Fillers inside a number stand for separators (part 3 section 4.2); they count as
	// zero for the digit and are left out of the number, so the digit is settled here.
	clean, gaps := compact(number, "<")
	doc := document{number: clean, digit: digit}
	if gaps && zoneDigit(number) == digit {
		doc.digit = 0
	}
	return doc, nil
}

// issued sets the issuer from the zone.
func (doc *document) issued(field, fallback string) ([]Change, *Rejection) {
	code, _, ok := issuerCode(field)
	if !ok {
		return nil, reject(ReasonUnknownIssuer)
	}
	doc.issuer = code
	changes := []Change{changeZone}
	if other, _, ok := issuerCode(fallback); ok && other != code {
		changes = append(changes, changeConflict)
	}
	return changes, nil
}

// issuedOrNational: line 2 alone does not name the issuer. The default does; without one
// the nationality stands in, unless it is one that issues nothing.
func (doc *document) issuedOrNational(field, nationality, fallback string) ([]Change, *Rejection) {
	if field != "" {
		return doc.issued(field, fallback)
	}
	if strings.TrimSpace(fallback) != "" {
		code, _, ok := issuerCode(fallback)
		if !ok {
			return nil, reject(ReasonUnknownIssuer)
		}
		doc.issuer = code
		return []Change{changeZone, changeIssuerAdded}, nil
	}
	code, _, _ := issuerCode(nationality)
	if strings.HasPrefix(code, "XX") {
		return nil, reject(ReasonIssuerMissing)
	}
	doc.issuer = code
	return []Change{changeZone, changeNationality}, nil
}

// compositeFits checks the digits of birth, expiry, optional data and the whole line.
func compositeFits(line string) bool {
	last := len(line) - 1
	if !datesFit(line[13:20], line[21:28]) {
		return false
	}
	if len(line) == lineTD3 {
		optional, digit := line[28:42], line[42]
		if zoneDigit(optional) != digit && !(digit == '<' && strings.Trim(optional, "<") == "") {
			return false
		}
	}
	return zoneDigit(line[0:10]+line[13:20]+line[21:last]) == line[last]
}

// datesFit checks two fields of six characters, each with its digit.
func datesFit(birth, expiry string) bool {
	return zoneDigit(birth[:6]) == birth[6] && zoneDigit(expiry[:6]) == expiry[6]
}

func allDigitsOrFiller(s string) bool {
	return onlyOf(s, func(b byte) bool { return isDigit(b) || b == '<' })
}

// zoneDigit is the check digit of ICAO Doc 9303 part 3 section 4.9: weights 7, 3, 1,
// letters from A = 10, fillers zero, modulo 10.
func zoneDigit(s string) byte {
	sum := 0
	for i := range len(s) {
		v := 0
		switch {
		case isDigit(s[i]):
			v = int(s[i] - '0')
		case isUpper(s[i]):
			v = int(s[i]-'A') + 10
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return byte('0' + sum%10)
}
