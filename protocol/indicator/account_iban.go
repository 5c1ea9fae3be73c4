package indicator

import (
	"strconv"
	"strings"
)

const schemeIBAN = "iban"

// ibanStructures is the registry of ISO 13616: country, then the parts of the basic bank
// account number as count and class, n digits, a capital letters, c either.
const ibanStructures = "AD8n12c AE19n AL8n16c AT16n AZ4a20c BA16n BE12n BG4a6n8c BH4a14c BI23n BR23n1a1c " +
	"BY4c4n16c CH5n12c CR18n CY8n16c CZ20n DE18n DJ23n DK14n DO4c20n EE16n EG25n ES20n FI14n FK2a12n " +
	"FO14n FR10n11c2n GB4a14n GE2a16n GI4a15c GL14n GR7n16c GT24c HN4a20n HR17n HU24n IE4a14n IL19n " +
	"IQ4a15n IS22n IT1a10n12c JO4a4n18c KW4a22c KZ3n13c LB4n20c LC4a24c LI5n12c LT16n LU3n13c LV4a13c " +
	"LY21n MC10n11c2n MD20c ME18n MK3n10c2n MN16n MR23n MT4a5n18c MU4a19n3a NI4a20n NL4a10n NO11n " +
	"OM3n16c PK4a16c PL24n PS4a21c PT21n QA4a21c RO4a16c RS18n RU14n15c SA2n18c SC4a20n3a SD14n SE20n " +
	"SI15n SK20n SM1a10n12c SO19n ST21n SV4a20n TL19n TN20n TR6n16c UA6n19c VA18n VG4a16n XK16n YE4a4n18c"

// readIBAN reads an IBAN and verifies its check digits. Wrong ones are kept as observed.
func readIBAN(s string) (content, []Change, *Rejection) {
	iban, changes := plainIBAN(s)
	if !isASCII(iban) {
		return content{}, nil, reject(ReasonScript)
	}
	if len(iban) < 5 || !onlyOf(iban, isUpperNum) || !isUpper(iban[0]) || !isUpper(iban[1]) || !allDigits(iban[2:4]) {
		return content{}, nil, reject(ReasonStructure)
	}
	structure, ok := ibanStructure(iban[:2])
	if !ok {
		return content{}, nil, reject(ReasonUnknownCountry)
	}
	if r := fits(iban[4:], structure); r != nil {
		return content{}, nil, r
	}
	if strings.Trim(iban[4:], "0") == "" {
		return content{}, nil, reject(ReasonStopValue)
	}
	text := schemeIBAN + ":" + iban
	if iban[2:4] != ibanDigits(iban) {
		return content{formObserved, text}, append(changes, changeObserved), nil
	}
	return content{formCanonical, text}, changes, nil
}

// plainIBAN removes the spaces of the printed form and folds case.
func plainIBAN(s string) (string, []Change) {
	iban, separated := compact(s, " \t-.")
	var changes []Change
	if separated {
		changes = append(changes, changeSeparators)
	}
	if upper := strings.ToUpper(iban); upper != iban {
		iban, changes = upper, append(changes, changeCase)
	}
	return iban, changes
}

// looksLikeIBAN reports a country letter pair and two digits; no national account number
// starts so.
func looksLikeIBAN(s string) (string, bool) {
	iban, _ := plainIBAN(s)
	if len(iban) < 15 || !isASCII(iban) || !allDigits(iban[2:4]) {
		return "", false
	}
	_, ok := ibanStructure(iban[:2])
	return iban, ok
}

func verifiedIBAN(iban string) bool {
	c, _, r := readIBAN(iban)
	return r == nil && c.form == formCanonical
}

func ibanStructure(country string) (string, bool) {
	for entry := range strings.FieldsSeq(ibanStructures) {
		if entry[:2] == country {
			return entry[2:], true
		}
	}
	return "", false
}

// fits checks length and character classes of a basic bank account number.
func fits(s, structure string) *Rejection {
	at := 0
	wrong := false
	for structure != "" {
		i := strings.IndexAny(structure, "nac")
		n, err := strconv.Atoi(structure[:i])
		if err != nil || at+n > len(s) {
			return reject(ReasonWrongLength)
		}
		part := s[at : at+n]
		switch structure[i] {
		case 'n':
			wrong = wrong || !onlyOf(part, isDigit)
		case 'a':
			wrong = wrong || !onlyOf(part, isUpper)
		}
		at, structure = at+n, structure[i+1:]
	}
	switch {
	case at != len(s):
		return reject(ReasonWrongLength)
	case wrong:
		return reject(ReasonStructure)
	}
	return nil
}

// ibanDigits computes the check digits of ISO 7064 MOD 97-10. Comparing them, rather than
// the remainder, also refuses 00, 01 and 99, which give the same remainders.
func ibanDigits(iban string) string {
	r := 0
	for _, part := range []string{iban[4:], iban[:2], "00"} {
		for i := range len(part) {
			if isDigit(part[i]) {
				r = (r*10 + int(part[i]-'0')) % 97
			} else {
				r = (r*100 + int(part[i]-'A') + 10) % 97
			}
		}
	}
	d := 98 - r
	return string([]byte{byte('0' + d/10), byte('0' + d%10)})
}
