package indicator

import (
	"regexp"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plan is what the metadata know of the numbers behind one country code. The library can
// answer the same questions, but builds and looks up each pattern anew for every number,
// which is half of the time that an import takes.
type plan struct {
	// lengths of fixed and mobile numbers in any region of the code.
	lengths lengthSet
	// prefix is the start of a national number that the rules would take for a trunk or
	// carrier prefix; nil if there is none.
	prefix *regexp.Regexp
	// ranges of the assigned numbers by region, compiled when the code is first met.
	ranges func() []region
}

// region is one numbering area of a country code.
type region struct {
	leading *regexp.Regexp // what all its numbers start with; nil if that is not known
	all     numberRange
	kinds   []numberRange
}

// numberRange is the numbers of one kind.
type numberRange struct {
	lengths lengthSet
	pattern *regexp.Regexp
}

func (n numberRange) has(national string) bool {
	return n.lengths.has(len(national)) && n.pattern.MatchString(national)
}

// lengthSet is a set of lengths as bits.
type lengthSet uint32

func (s lengthSet) has(n int) bool { return s>>n&1 == 1 }

func lengthsOf(list []int32) lengthSet {
	var s lengthSet
	for _, n := range list {
		if n > 0 { // -1 stands for none
			s |= 1 << n
		}
	}
	return s
}

// plans is read once from the metadata that are part of the library.
var plans = sync.OnceValue(func() map[int32]*plan {
	out := make(map[int32]*plan)
	all, err := phonenumbers.MetadataCollection()
	if err != nil { // the data are embedded; without them every number is only plausible
		return out
	}
	members := make(map[int32][]*phonenumbers.PhoneMetadata)
	for _, m := range all.GetMetadata() {
		code := m.GetCountryCode()
		if out[code] == nil {
			out[code] = new(plan)
		}
		p := out[code]
		p.lengths |= lengthsIn(m, m.GetFixedLine()) | lengthsIn(m, m.GetMobile())
		if rule := m.GetNationalPrefixForParsing(); rule != "" && m.GetId() == phonenumbers.GetRegionCodeForCountryCode(int(code)) {
			p.prefix = pattern("^(?:" + rule + ")")
		}
		members[code] = append(members[code], m)
	}
	for code, p := range out {
		p.ranges = sync.OnceValue(func() []region {
			var rs []region
			for _, m := range members[code] {
				rs = append(rs, compile(m))
			}
			return rs
		})
	}
	return out
})

// pattern compiles a rule; one that does not compile matches everything, so that numbers
// take the long way instead of being lost.
func pattern(rule string) *regexp.Regexp {
	p, err := regexp.Compile(rule)
	if err != nil {
		return regexp.MustCompile("")
	}
	return p
}

// lengthsIn returns the lengths of one kind; where the metadata state none, they are those
// of all numbers of the region.
func lengthsIn(m *phonenumbers.PhoneMetadata, kind *phonenumbers.PhoneNumberDesc) lengthSet {
	if list := kind.GetPossibleLength(); len(list) > 0 {
		return lengthsOf(list)
	}
	return lengthsOf(m.GetGeneralDesc().GetPossibleLength())
}

func compile(m *phonenumbers.PhoneMetadata) region {
	r := region{all: rangeOf(m, m.GetGeneralDesc())}
	if digits := m.GetLeadingDigits(); digits != "" {
		r.leading = pattern("^(?:" + digits + ")")
	}
	for _, kind := range []*phonenumbers.PhoneNumberDesc{
		m.GetMobile(), m.GetFixedLine(), m.GetVoip(), m.GetTollFree(), m.GetSharedCost(), m.GetPremiumRate(),
		m.GetPersonalNumber(), m.GetPager(), m.GetUan(), m.GetVoicemail(),
	} {
		if kind.GetNationalNumberPattern() != "" {
			r.kinds = append(r.kinds, rangeOf(m, kind))
		}
	}
	return r
}

func rangeOf(m *phonenumbers.PhoneMetadata, kind *phonenumbers.PhoneNumberDesc) numberRange {
	return numberRange{lengthsIn(m, kind), pattern("^(?:" + kind.GetNationalNumberPattern() + ")$")}
}

// assigned reports a number from a range that one of the code's regions has assigned.
func (p *plan) assigned(national string) bool {
	for _, r := range p.ranges() {
		if r.leading != nil && !r.leading.MatchString(national) || !r.all.has(national) {
			continue
		}
		for _, kind := range r.kinds {
			if kind.has(national) {
				return true
			}
		}
	}
	return false
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
	country, ok := plans()[p.number.GetCountryCode()]
	if !ok {
		return p, nil
	}
	if p.valid = country.assigned(p.national); p.valid || country.lengths == 0 {
		return p, nil
	}
	switch n := len(p.national); {
	case country.lengths.has(n):
		return p, nil
	case country.lengths>>n == 0:
		return phone{}, reject(ReasonTooLong)
	case country.lengths&(1<<n-1) == 0:
		return phone{}, reject(ReasonTooShort)
	}
	return phone{}, reject(ReasonWrongLength)
}
