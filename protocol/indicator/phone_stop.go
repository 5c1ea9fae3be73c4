package indicator

import (
	"slices"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// hotlines are full-length numbers of police, crisis and victim lines. They stand in many
// people's phones, victims' above all, so a match on one says nothing about anybody.
func hotlines() []string {
	return []string{
		"+18002738255", "+18006564673", "+18007997233", "+18008435678", "+18883737888",
		"+448000121700", "+448001111", "+44800555111",
		"+61131114", "+61131126", "+61131237", "+61131444", "+61131881",
		"+611800333000", "+611800551800", "+611800737732",
		"+64800543354", "+64800555111",
		"+6518002550000", "+85225277177",
	}
}

// harmonised are the European numbers of social value, the same in every country.
func harmonised() []string { return []string{"116000", "116006", "116111", "116117", "116123"} }

// maxServiceDigits is the length up to which free and shared-cost numbers are short codes
// of services, such as 13 11 14 in Australia. Longer ones may be a suspect's own.
const maxServiceDigits = 7

// stopPhone reports numbers that would match many unrelated people.
func stopPhone(p phone) bool {
	n := p.national
	if placeholder(n) || strings.HasSuffix(n, "0000000") {
		return true
	}
	if slices.Contains(hotlines(), p.text) || slices.Contains(harmonised(), n) {
		return true
	}
	if len(n) > maxServiceDigits {
		return false
	}
	switch phonenumbers.GetNumberType(p.number) {
	case phonenumbers.TOLL_FREE, phonenumbers.UAN, phonenumbers.SHARED_COST, phonenumbers.PREMIUM_RATE:
		return true
	}
	return false
}

// shortCode reports an emergency or service code of the region, such as 000 or 191. Such
// a code is rejected either way; the reason tells the operator which it is.
func shortCode(digits, region string) bool {
	const longest = 6
	if len(digits) > longest {
		return false
	}
	if phonenumbers.IsEmergencyNumber(digits, region) {
		return true
	}
	n := new(phonenumbers.PhoneNumber)
	if err := phonenumbers.ParseToNumber(digits, region, n); err != nil {
		return false
	}
	return phonenumbers.IsValidShortNumberForRegion(n, region)
}
