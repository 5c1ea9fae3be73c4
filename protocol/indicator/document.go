package indicator

import (
	"strings"
)

// Documents: canonical text is ISSUER ":" NUMBER, the issuer as its three characters of
// ICAO Doc 9303 part 3 (Germany is D<<), the number as A-Z and 0-9. As observed it is
// ISSUER ":" NUMBER ":" DIGIT with a check digit that does not fit. The type of document
// is left out, because most lists do not know it.
var documentDefinition = definition{kind: Document, version: 1, parse: parseDocument, canonical: canonicalDocument}

const (
	minDocument = 4  // shorter numbers are placeholders or serial numbers of a list
	maxDocument = 22 // TD1 holds 9 + 13 characters of a number
	letters     = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// document is a number with what stood beside it.
type document struct {
	issuer string // ICAO code
	number string // A-Z and 0-9
	digit  byte   // check digit as observed, 0 if none was given
}

func parseDocument(raw string, d Defaults) (content, []Change, *Rejection) {
	s, folded := fold(raw)
	var changes []Change
	if folded {
		changes = append(changes, changeFolded)
	}
	upper := strings.ToUpper(s)
	if upper != s {
		changes = append(changes, changeCase)
	}
	if rest, cut := cutLabels(upper); cut {
		upper, changes = rest, append(changes, changeScheme)
	}
	var doc document
	var more []Change
	var r *Rejection
	if zone, ok := zoneLines(upper); ok {
		doc, more, r = readZone(zone, d.Issuer)
	} else {
		doc, more, r = readDocument(upper, d.Issuer)
	}
	if r != nil {
		return content{}, nil, r
	}
	c, last, r := doc.content()
	if r != nil {
		return content{}, nil, r
	}
	return c, append(append(changes, more...), last...), nil
}

// cutLabels removes words such as "Passport no." that were copied with the number. A bare
// "NO" stays: it may be the series.
func cutLabels(s string) (string, bool) {
	labels := []string{"PASSPORT", "PASSEPORT", "PASPOR", "DOCUMENT", "NUMBER", "NO.", "NR.", "N°", "Nº", "№"}
	rest := s
	for cut := true; cut; {
		cut = false
		for _, l := range labels {
			if t, ok := strings.CutPrefix(rest, l); ok {
				rest, cut = strings.TrimLeft(t, " :#.\t"), true
			}
		}
	}
	return rest, rest != s
}

// content checks the number and chooses the form.
func (doc document) content() (content, []Change, *Rejection) {
	var changes []Change
	if r := checkDocumentNumber(doc.number); r != nil {
		return content{}, nil, r
	}
	if doc.issuer == "UTO" {
		changes = append(changes, changeSpecimen)
	}
	if confusable(doc.number) {
		changes = append(changes, changeConfusable)
	}
	text := doc.issuer + ":" + doc.number
	switch doc.digit {
	case 0:
		return content{formCanonical, text}, changes, nil
	case zoneDigit(doc.number):
		return content{formCanonical, text}, append(changes, changeDigitOK), nil
	}
	return content{formObserved, text + ":" + string(doc.digit)}, append(changes, changeObserved), nil
}

// readDocument reads NUMBER, ISSUER:NUMBER or ISSUER:NUMBER:DIGIT.
func readDocument(s, fallback string) (document, []Change, *Rejection) {
	var doc document
	var changes []Change
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return doc, nil, reject(ReasonCharacters)
	}
	issuer, number := fallback, parts[0]
	if len(parts) > 1 {
		issuer, number = parts[0], parts[1]
	} else if strings.TrimSpace(fallback) != "" {
		changes = append(changes, changeIssuerAdded)
	}
	if strings.TrimSpace(issuer) == "" {
		return doc, nil, reject(ReasonIssuerMissing)
	}
	code, changed, ok := issuerCode(issuer)
	if !ok {
		return doc, nil, reject(ReasonUnknownIssuer)
	}
	if changed && len(parts) > 1 {
		changes = append(changes, changeIssuer)
	}
	if len(parts) == 3 {
		digit := strings.TrimSpace(parts[2])
		if len(digit) != 1 || !isDigit(digit[0]) {
			return doc, nil, reject(ReasonCheckDigit)
		}
		doc.digit = digit[0]
	}
	doc.issuer = code
	var separated bool
	doc.number, separated = compact(number, " \t-./_<#")
	if separated {
		changes = append(changes, changeSeparators)
	}
	return doc, changes, nil
}

// compact removes separators.
func compact(s, separators string) (string, bool) {
	if !strings.ContainsAny(s, separators) {
		return s, false
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(separators, r) {
			return -1
		}
		return r
	}, s), true
}

// checkDocumentNumber refuses what no document bears and what people type to fill a field.
func checkDocumentNumber(n string) *Rejection {
	switch {
	case !isASCII(n):
		return reject(ReasonScript)
	case n == "":
		return reject(ReasonTooShort)
	case scientific.MatchString(n) && strings.Contains(n, "E+"):
		return reject(ReasonSpreadsheetDamage)
	case !onlyOf(n, isUpperNum):
		return reject(ReasonCharacters)
	case len(n) < minDocument:
		return reject(ReasonTooShort)
	case len(n) > maxDocument:
		return reject(ReasonTooLong)
	case countDigits(n) == 0:
		return reject(ReasonNotANumber)
	case stopDocument(n):
		return reject(ReasonStopValue)
	}
	return nil
}

// stopDocument reports placeholders: nothing but digits in order, or one digit repeated
// after at most two letters.
func stopDocument(n string) bool {
	if allDigits(n) {
		return placeholder(n)
	}
	digits := strings.TrimLeft(n, letters)
	return len(n)-len(digits) <= 2 && len(digits) >= minDocument && strings.Trim(digits, digits[:1]) == ""
}

// confusable reports numbers that hold members of one look-alike pair on both sides, or a
// letter of a pair among digits. They are never merged, only pointed out.
func confusable(n string) bool {
	body := strings.TrimLeft(n, letters)
	return strings.ContainsAny(body, "OISB") && countDigits(body) > 0
}

// canonicalDocument: known issuer, clean number and, as observed, a digit that is wrong.
func canonicalDocument(c content) bool {
	parts := strings.Split(c.text, ":")
	if len(parts) < 2 || !knownIssuer(parts[0]) || checkDocumentNumber(parts[1]) != nil {
		return false
	}
	if c.form == formCanonical {
		return len(parts) == 2
	}
	return len(parts) == 3 && len(parts[2]) == 1 && isDigit(parts[2][0]) && parts[2][0] != zoneDigit(parts[1])
}
