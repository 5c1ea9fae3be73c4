package indicator

import (
	"strings"
)

// Accounts: canonical text is SCHEME ":" …; for IBANs "iban:" and the IBAN without
// spaces, for all others SCHEME ":" BANK ":" NUMBER, where BANK is the bank code or, for
// wallets and payment aliases, what the number is ("phone", "id", "wallet").
// Leading zeros of account numbers count.
var accountDefinition = definition{kind: Account, version: 1, parse: parseAccount, canonical: canonicalAccount}

func parseAccount(raw string, d Defaults) (content, []Change, *Rejection) {
	s, folded := fold(raw)
	var changes []Change
	if folded {
		changes = append(changes, changeFolded)
	}
	if strings.ContainsAny(s, "eE") && scientific.MatchString(s) {
		return content{}, nil, reject(ReasonSpreadsheetDamage)
	}
	name, rest, named := cutScheme(s)
	if !named {
		rest = s
		name = strings.ToLower(strings.TrimSpace(d.Scheme))
		if iban, ok := looksLikeIBAN(s); ok && (name == "" || verifiedIBAN(iban)) {
			name = schemeIBAN
		} else if name != "" {
			changes = append(changes, changeBankScheme)
		}
	}
	var c content
	var more []Change
	var r *Rejection
	switch {
	case name == "":
		return content{}, nil, reject(ReasonSchemeMissing)
	case name == schemeIBAN:
		c, more, r = readIBAN(rest)
	default:
		sc, ok := schemeNamed(name)
		if !ok {
			return content{}, nil, reject(ReasonUnknownScheme)
		}
		c, more, r = sc.read(rest)
	}
	if r != nil {
		return content{}, nil, r
	}
	return c, append(changes, more...), nil
}

// canonicalAccount: parsing the text again gives the same text and form.
func canonicalAccount(c content) bool { return reparses(c, parseAccount) }

// cutScheme takes a scheme that the text names itself: SCHEME:… or the word IBAN.
func cutScheme(s string) (name, rest string, ok bool) {
	if rest, ok := cutPrefixFold(s, schemeIBAN); ok {
		return schemeIBAN, strings.TrimLeft(rest, " :.\t"), true
	}
	head, rest, ok := strings.Cut(s, ":")
	if !ok {
		return "", s, false
	}
	name = strings.ToLower(strings.TrimSpace(head))
	if _, known := schemeNamed(name); !known {
		return "", s, false
	}
	return name, rest, true
}
