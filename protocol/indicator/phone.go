package indicator

import (
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Phones: canonical text is "+" and the E.164 digits, at most 15, without extension.
//
// What counts is a length that the country's fixed or mobile numbers have, not membership
// in a range that the metadata list as assigned: numbering plans change faster than any
// table, and suspects use numbers of withdrawn or unpublished ranges. Numbers outside the
// known ranges carry the change "plausible".
var phoneDefinition = definition{kind: Phone, version: 1, parse: parsePhone, canonical: canonicalPhone, fixed: true}

const (
	maxPhoneDigits = 15 // E.164 section 6
	maxFixpoint    = 3  // passes of the dialling rules until nothing changes any more
)

func parsePhone(raw string, d Defaults) (content, []Change, *Rejection) {
	w, changes, r := scanPhone(raw)
	if r != nil {
		return content{}, nil, r
	}
	region := strings.ToUpper(d.Country)
	if region != "" && phonenumbers.GetCountryCodeForRegion(region) == 0 {
		return content{}, nil, reject(ReasonUnknownCountry)
	}
	p, r := w.read(region)
	if r != nil {
		return content{}, nil, r
	}
	if stopPhone(p) {
		return content{}, nil, reject(ReasonStopValue)
	}
	changes = append(changes, p.changes...)
	if !p.valid {
		changes = append(changes, changePlausible)
	}
	return content{formCanonical, p.text}, changes, nil
}

// canonicalPhone: the text is its own E.164 form under the dialling rules of its country.
func canonicalPhone(c content) bool {
	digits, plus := strings.CutPrefix(c.text, "+")
	if c.form != formCanonical || !plus || !allDigits(digits) {
		return false
	}
	p, r := international(digits)
	return r == nil && p.text == c.text && !stopPhone(p)
}

// phone is one reading of a written number.
type phone struct {
	text     string // "+" and digits
	national string // national significant number
	number   *phonenumbers.PhoneNumber
	valid    bool // from a range that is known to be assigned
	changes  []Change
}

// written is a number as it stands in the cell: its digits, and whether a + leads them.
type written struct {
	digits string
	plus   bool
}

// read decides what the digits mean. Without a + there can be two readings, as a national
// number and with a country code. One that is known to be assigned wins, the national one
// first; then a national one of a possible length; then one with the own country's code.
func (w written) read(region string) (phone, *Rejection) {
	if placeholder(w.digits) || strings.HasSuffix(w.digits, "0000000") {
		return phone{}, reject(ReasonStopValue)
	}
	if w.plus {
		digits, twice := strings.CutPrefix(w.digits, "00") // "+0061…"
		p, r := international(digits)
		if r == nil && twice {
			p.changes = append([]Change{changeIDD}, p.changes...)
		}
		return p, r
	}
	if rest, ok := w.prefixed(region); ok {
		return w.afterPrefix(rest, region)
	}
	if region == "" {
		return phone{}, reject(ReasonCountryMissing)
	}
	p, r := national(w.digits, region)
	if r == nil && p.valid || strings.HasPrefix(w.digits, "0") {
		return p, r
	}
	q, foreign := international(w.digits)
	own := foreign == nil && int(q.number.GetCountryCode()) == phonenumbers.GetCountryCodeForRegion(region)
	if foreign == nil && (q.valid || r != nil && own) {
		q.changes = append([]Change{changePlus}, q.changes...)
		return q, nil
	}
	return p, r
}

// prefixed cuts the dialling prefixes that people write everywhere: 00, and 011 where no
// country is given (with one, its own rules know whether 011 is a prefix or an area).
func (w written) prefixed(region string) (string, bool) {
	if rest, ok := strings.CutPrefix(w.digits, "00"); ok {
		return rest, true
	}
	if region == "" {
		return strings.CutPrefix(w.digits, "011")
	}
	return "", false
}

// afterPrefix weighs the plain reading of 00 against the country's own prefixes, such as
// 0011 in Australia.
func (w written) afterPrefix(rest, region string) (phone, *Rejection) {
	p, r := international(rest)
	p.changes = append([]Change{changeIDD}, p.changes...)
	if r == nil && p.valid || region == "" {
		return p, r
	}
	if q, own := national(w.digits, region); own == nil && (q.valid || r != nil) {
		return q, nil
	}
	return p, r
}

// international reads digits that start with a country code.
func international(digits string) (phone, *Rejection) {
	if strings.HasPrefix(digits, "0") {
		return phone{}, reject(ReasonUnknownCountry)
	}
	p, r := dialled("+"+digits, "")
	if r != nil {
		return phone{}, r
	}
	code := strconv.Itoa(int(p.number.GetCountryCode()))
	p.explain(strings.TrimPrefix(digits, code))
	return p, nil
}

// national reads digits by the rules of a region.
func national(digits, region string) (phone, *Rejection) {
	p, r := dialled(digits, region)
	if r != nil {
		if shortCode(digits, region) {
			r = reject(ReasonStopValue)
		}
		return phone{}, r
	}
	code := strconv.Itoa(int(p.number.GetCountryCode()))
	switch p.number.GetCountryCodeSource() {
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITH_IDD:
		p.changes = append(p.changes, changeIDD)
	case phonenumbers.PhoneNumber_FROM_NUMBER_WITHOUT_PLUS_SIGN:
		p.changes = append(p.changes, changePlus)
		p.explain(strings.TrimPrefix(digits, code))
	default:
		p.changes = append(p.changes, changeCountry)
		if p.national == digits && phonenumbers.GetNddPrefixForRegion(region, true) == "0" {
			p.changes = append(p.changes, changeTrunkMissing)
		}
		p.explain(digits)
	}
	return p, nil
}

// explain says what the country's rules did to the written national part.
func (p *phone) explain(part string) {
	switch {
	case p.national == part:
	case strings.HasSuffix(part, p.national):
		p.changes = append(p.changes, changeTrunk)
	default:
		p.changes = append(p.changes, changeRewritten)
	}
}

// dialled applies the library's rules until the E.164 form is its own reading, so that a
// canonical number means the same to every node that parses it again.
func dialled(s, region string) (phone, *Rejection) {
	p, r := parseOnce(s, region)
	if r != nil {
		return phone{}, r
	}
	for range maxFixpoint {
		if s == p.text || p.stable() {
			return p.weigh()
		}
		q, r := parseOnce(p.text, "")
		if r != nil {
			return phone{}, r
		}
		if region != "" {
			q.number.CountryCodeSource = p.number.CountryCodeSource
		}
		s, p = p.text, q
	}
	return phone{}, reject(ReasonWrongLength)
}

func parseOnce(s, region string) (phone, *Rejection) {
	n := new(phonenumbers.PhoneNumber)
	if err := phonenumbers.ParseAndKeepRawInputToNumber(s, region, n); err != nil {
		return phone{}, reject(phoneReason(err))
	}
	switch phonenumbers.IsPossibleNumberWithReason(n) {
	case phonenumbers.IS_POSSIBLE:
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return phone{}, reject(ReasonTooShort)
	case phonenumbers.TOO_LONG:
		return phone{}, reject(ReasonTooLong)
	case phonenumbers.INVALID_COUNTRY_CODE:
		return phone{}, reject(ReasonUnknownCountry)
	default:
		return phone{}, reject(ReasonWrongLength)
	}
	p := phone{
		text:     phonenumbers.Format(n, phonenumbers.E164),
		national: phonenumbers.GetNationalSignificantNumber(n),
		number:   n,
	}
	if len(p.text) > 1+maxPhoneDigits {
		return phone{}, reject(ReasonTooLong)
	}
	return p, nil
}

// phoneReason maps the library's errors; their text is never passed on.
func phoneReason(err error) Reason {
	switch err {
	case phonenumbers.ErrInvalidCountryCode:
		return ReasonUnknownCountry
	case phonenumbers.ErrTooShortNSN, phonenumbers.ErrTooShortAfterIDD:
		return ReasonTooShort
	case phonenumbers.ErrNumTooLong:
		return ReasonTooLong
	}
	return ReasonNotANumber
}

// phoneCountry returns the ISO country of a canonical number, "" for numbers that belong
// to no country (satellite, international networks).
func phoneCountry(text string) string {
	p, r := parseOnce(text, "")
	if r != nil {
		return ""
	}
	region := phonenumbers.GetRegionCodeForNumber(p.number)
	if region == "" {
		region = phonenumbers.GetRegionCodeForCountryCode(int(p.number.GetCountryCode()))
	}
	if len(region) != 2 || region == "ZZ" {
		return ""
	}
	return region
}
