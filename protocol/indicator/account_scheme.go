package indicator

import (
	"strings"
)

// scheme is a national way to write accounts, or a payment alias.
type scheme struct {
	name    string
	country string // ISO alpha-2
	// bank is the length of the bank code in characters; 0 means a payment alias.
	bank              int
	bankOK            func(string) bool
	shortest, longest int // digits of the account number
	// together: bank code and number may be written as one, because the code proves
	// itself; elsewhere a lost leading zero would shift the border unseen.
	together bool
	check    func(bank, number string) bool // a check digit, nil if there is none
	alias    func(s, country string) (alias, *Rejection)
}

// schemes is the one table of account schemes.
func schemes() []*scheme { return schemeTable[:] }

var schemeTable = [...]*scheme{
	{name: "au-bsb", country: "AU", bank: 6, bankOK: allDigits, shortest: 5, longest: 10},
	{name: "bd-routing", country: "BD", bank: 9, bankOK: allDigits, shortest: 8, longest: 17},
	{name: "gb-sortcode", country: "GB", bank: 6, bankOK: allDigits, shortest: 8, longest: 8},
	{name: "hk-bank", country: "HK", bank: 3, bankOK: allDigits, shortest: 6, longest: 12},
	{name: "id-bank", country: "ID", bank: 3, bankOK: allDigits, shortest: 8, longest: 16},
	{name: "in-ifsc", country: "IN", bank: 11, bankOK: ifsc, shortest: 6, longest: 18, together: true},
	{name: "jp-zengin", country: "JP", bank: 7, bankOK: allDigits, shortest: 7, longest: 7},
	{name: "lk-bank", country: "LK", bank: 7, bankOK: allDigits, shortest: 6, longest: 15},
	{name: "nz-bank", country: "NZ", bank: 6, bankOK: allDigits, shortest: 9, longest: 10},
	{name: "sg-bank", country: "SG", bank: 7, bankOK: allDigits, shortest: 6, longest: 11},
	{name: "th-bank", country: "TH", bank: 3, bankOK: allDigits, shortest: 10, longest: 15},
	{name: "us-aba", country: "US", bank: 9, bankOK: allDigits, shortest: 4, longest: 17, together: true, check: abaDigit},
	{name: "vn-bank", country: "VN", bank: 6, bankOK: allDigits, shortest: 6, longest: 19},
	{name: "th-promptpay", country: "TH", alias: promptPay},
	{name: "bd-bkash", country: "BD", alias: phoneAlias},
	{name: "bd-nagad", country: "BD", alias: phoneAlias},
	{name: "id-dana", country: "ID", alias: phoneAlias},
	{name: "id-gopay", country: "ID", alias: phoneAlias},
	{name: "id-ovo", country: "ID", alias: phoneAlias},
	{name: "kh-wing", country: "KH", alias: phoneAlias},
	{name: "mm-kbzpay", country: "MM", alias: phoneAlias},
	{name: "mm-wavemoney", country: "MM", alias: phoneAlias},
	{name: "my-duitnow", country: "MY", alias: phoneAlias},
	{name: "my-tng", country: "MY", alias: phoneAlias},
	{name: "np-esewa", country: "NP", alias: phoneAlias},
	{name: "ph-gcash", country: "PH", alias: phoneAlias},
	{name: "ph-maya", country: "PH", alias: phoneAlias},
	{name: "pk-easypaisa", country: "PK", alias: phoneAlias},
	{name: "pk-jazzcash", country: "PK", alias: phoneAlias},
	{name: "sg-paynow", country: "SG", alias: phoneAlias},
	{name: "th-truemoney", country: "TH", alias: phoneAlias},
	{name: "vn-momo", country: "VN", alias: phoneAlias},
	{name: "vn-zalopay", country: "VN", alias: phoneAlias},
}

// alias is a number that stands for an account.
type alias struct {
	sort    string // what the number is: phone, id or wallet
	number  string
	wrong   bool // its check digit does not fit
	changes []Change
}

func schemeNamed(name string) (*scheme, bool) {
	for _, s := range schemes() {
		if s.name == name {
			return s, true
		}
	}
	return nil, false
}

// read reads BANK and NUMBER, or the alias.
func (sc *scheme) read(s string) (content, []Change, *Rejection) {
	if sc.alias != nil {
		return sc.readAlias(s)
	}
	bank, number, separated, r := sc.split(strings.ToUpper(s))
	if r != nil {
		return content{}, nil, r
	}
	var changes []Change
	if separated {
		changes = append(changes, changeSeparators)
	}
	switch {
	case !isASCII(bank + number):
		return content{}, nil, reject(ReasonScript)
	case len(bank) != sc.bank || !sc.bankOK(bank):
		return content{}, nil, reject(ReasonBankCode)
	case !allDigits(number):
		return content{}, nil, reject(ReasonStructure)
	case len(number) < sc.shortest:
		return content{}, nil, reject(ReasonTooShort)
	case len(number) > sc.longest:
		return content{}, nil, reject(ReasonTooLong)
	case placeholder(number):
		return content{}, nil, reject(ReasonStopValue)
	}
	text := sc.name + ":" + bank + ":" + number
	if sc.check != nil && !sc.check(bank, number) {
		return content{formObserved, text}, append(changes, changeObserved), nil
	}
	return content{formCanonical, text}, changes, nil
}

// split finds the border between bank code and number. Separators decide; the bank code
// may itself be written in groups.
func (sc *scheme) split(s string) (bank, number string, separated bool, r *Rejection) {
	groups := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t-./:,;", r) })
	if len(groups) == 1 && sc.together && len(s) > sc.bank {
		return s[:sc.bank], s[sc.bank:], false, nil
	}
	for i, g := range groups {
		bank += g
		if len(bank) >= sc.bank {
			groups = groups[i+1:]
			break
		}
	}
	if len(bank) != sc.bank || len(groups) == 0 {
		return "", "", false, reject(ReasonBankCode)
	}
	number = strings.Join(groups, "")
	return bank, number, bank+":"+number != s, nil
}

// readAlias reads a payment alias; its sort stands where others have the bank code.
func (sc *scheme) readAlias(s string) (content, []Change, *Rejection) {
	given, rest, ok := strings.Cut(s, ":")
	if !ok {
		rest = s
	}
	a, r := sc.alias(strings.TrimSpace(rest), sc.country)
	if r != nil {
		return content{}, nil, r
	}
	if ok && strings.ToLower(strings.TrimSpace(given)) != a.sort {
		return content{}, nil, reject(ReasonStructure)
	}
	text := sc.name + ":" + a.sort + ":" + a.number
	if a.wrong {
		return content{formObserved, text}, append(a.changes, changeObserved), nil
	}
	return content{formCanonical, text}, a.changes, nil
}

// phoneAlias reads an account that is known by the phone number of its holder.
func phoneAlias(s, country string) (alias, *Rejection) {
	c, changes, r := parsePhone(s, Defaults{Country: country})
	return alias{sort: "phone", number: c.text, changes: changes}, r
}

// promptPay reads a phone number, a citizen or tax number of 13 digits with its check
// digit, or the 15 digits of an electronic wallet.
func promptPay(s, country string) (alias, *Rejection) {
	var a alias
	var separated bool
	a.number, separated = compact(s, " -")
	if separated {
		a.changes = []Change{changeSeparators}
	}
	switch {
	case !allDigits(a.number):
		return phoneAlias(s, country)
	case len(a.number) == 13 && !strings.HasPrefix(a.number, "00"):
		a.sort, a.wrong = "id", !thaiDigit(a.number)
	case len(a.number) == 15:
		a.sort = "wallet"
	default:
		return phoneAlias(s, country)
	}
	if placeholder(a.number) {
		return alias{}, reject(ReasonStopValue)
	}
	return a, nil
}

// ifsc is four letters of the bank, a zero, six letters or digits of the branch.
func ifsc(s string) bool {
	return len(s) == 11 && onlyOf(s[:4], isUpper) && s[4] == '0' && onlyOf(s[5:], isUpperNum)
}

// abaDigit checks a routing number: weights 3, 7, 1, sum divisible by ten.
func abaDigit(bank, _ string) bool {
	sum := 0
	for i := range len(bank) {
		sum += int(bank[i]-'0') * [3]int{3, 7, 1}[i%3]
	}
	return sum%10 == 0
}

// thaiDigit checks the last of 13 digits: weights 13 down to 2, modulo 11.
func thaiDigit(s string) bool {
	sum := 0
	for i := range 12 {
		sum += int(s[i]-'0') * (13 - i)
	}
	return (11-sum%11)%10 == int(s[12]-'0')
}
