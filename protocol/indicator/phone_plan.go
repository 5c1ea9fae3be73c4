package indicator

import (
	"regexp"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is what the metadata know of the numbers behind one country code.
type plan struct {
	// lengths of fixed and mobile numbers in any region of the code, as a set of bits.
	lengths uint32
	// prefix is the start of a national number that the rules would take for a trunk or
	// carrier prefix; nil if there is none.
	prefix *regexp.Regexp
}

// always stands in for a rule that does not compile: every number takes the long way.
var always = regexp.MustCompile("")

// plans is read once from the metadata that are part of the library.
var plans = sync.OnceValue(func() map[int32]*plan {
	out := make(map[int32]*plan)
	all, err := phonenumbers.MetadataCollection()
	if err != nil { // the data are embedded; without them every number takes the long way
		return out
	}
	for _, m := range all.GetMetadata() {
		code := m.GetCountryCode()
		if out[code] == nil {
			out[code] = new(plan)
		}
		out[code].lengths |= subscriberLengths(m)
		main := phonenumbers.GetRegionCodeForCountryCode(int(code))
		if rule := m.GetNationalPrefixForParsing(); rule != "" && m.GetId() == main {
			prefix, err := regexp.Compile("^(?:" + rule + ")")
			if err != nil {
				prefix = always
			}
			out[code].prefix = prefix
		}
	}
	return out
})

func subscriberLengths(m *phonenumbers.PhoneMetadata) uint32 {
	var set uint32
	for _, kind := range []*phonenumbers.PhoneNumberDesc{m.GetFixedLine(), m.GetMobile()} {
		lengths := kind.GetPossibleLength()
		if len(lengths) == 0 { // same as all numbers of the region
			lengths = m.GetGeneralDesc().GetPossibleLength()
		}
		for _, n := range lengths {
			if n > 0 { // -1: there are none of this kind
				set |= 1 << n
			}
		}
	}
	return set
}

// stable reports that reading the E.164 form again cannot change it, because no rule of
// the country takes anything off the national number. It saves most second readings.
func (p phone) stable() bool {
	country, ok := plans()[p.number.GetCountryCode()]
	return ok && (country.prefix == nil || !country.prefix.MatchString(p.national))
}

// weigh decides whether the number is known to be assigned, or at least as long as the
// country's fixed or mobile numbers. Without the second rule a number that lost a digit
// would pass where special services have shorter ones.
func (p phone) weigh() (phone, *Rejection) {
	if p.valid = phonenumbers.IsValidNumber(p.number); p.valid {
		return p, nil
	}
	country, ok := plans()[p.number.GetCountryCode()]
	if !ok || country.lengths == 0 {
		return p, nil
	}
	switch n := len(p.national); {
	case country.lengths>>n&1 == 1:
		return p, nil
	case country.lengths>>n == 0:
		return phone{}, reject(ReasonTooLong)
	case country.lengths&(1<<n-1) == 0:
		return phone{}, reject(ReasonTooShort)
	}
	return phone{}, reject(ReasonWrongLength)
}
