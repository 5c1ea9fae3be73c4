package indicator

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// registryExamples are the examples of the IBAN registry (ISO 13616).
const registryExamples = "AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201 " +
	"AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BG80BNBG96611020345678 BH67BMAG00001299123456 " +
	"BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957 CR05015202001026284066 " +
	"CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000 DK5000400440116243 " +
	"DO28BAGR00000001212453611324 EE382200221020145685 EG380019000500000000263180002 ES9121000418450200051332 " +
	"FI2112345600000785 FO6264600001631634 FR1420041010050500013M02606 GB29NWBK60161331926819 GE29NB0000000101904917 " +
	"GI75NWBK000000007099453 GL8964710001000206 GR1601101250000000012300695 GT82TRAJ01020000001210029690 " +
	"HR1210010051863000160 HU42117730161111101800000000 IE29AIBK93115212345678 IL620108000000099999999 " +
	"IQ98NBIQ850123456789012 IS140159260076545510730339 IT60X0542811101000000123456 JO94CBJO0010000000000131000302 " +
	"KW81CBKU0000000000001234560101 KZ86125KZT5004100100 LB62099900000001001901229114 LC55HEMM000100010012001200023015 " +
	"LI21088100002324013AA LT121000011101001000 LU280019400644750000 LV80BANK0000435195001 LY83002048000020100120361 " +
	"MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951 MK07250120000058984 " +
	"MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S MU17BOMM0101101030300200000MUR NL91ABNA0417164300 " +
	"NO9386011117947 PK36SCBL0000001123456702 PL61109010140000071219812874 PS92PALS000000000400123456702 " +
	"PT50000201231234567890154 QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 RS35260005601001611379 " +
	"SA0380000000608010167519 SC18SSCB11010000000000001497USD SE4550000000058398257466 SI56263300012039086 " +
	"SK3112000000198742637541 SM86U0322509800000000270100 ST23000100010051845310146 SV62CENR00000000000000700025 " +
	"TL380080012345678910157 TN5910006035183598478831 TR330006100519786457841326 UA213223130000026007233566001 " +
	"VA59001123000012345678 VG96VPVG0000012345678901 XK051212012345678906"

func TestRegistryExamples(t *testing.T) {
	for iban := range strings.FieldsSeq(registryExamples) {
		v, changes, err := Parse(Account, iban, Defaults{})
		if err != nil || v.AsObserved() || v.Canonical() != "iban:"+iban || len(changes) > 0 {
			t.Errorf("%s: %q, observed %t, %v", iban[:2], v.Canonical(), v.AsObserved(), err)
		}
		if v.Country() != iban[:2] {
			t.Errorf("%s: country %s", iban[:2], v.Country())
		}
	}
}

// TestIBANRegistry: each entry is well formed, sorted and alone, and no basic account
// number is longer than the 30 characters of ISO 13616.
func TestIBANRegistry(t *testing.T) {
	entries := strings.Fields(ibanStructures)
	if len(entries) < 85 || !slices.IsSorted(entries) {
		t.Errorf("%d entries, sorted %t", len(entries), slices.IsSorted(entries))
	}
	for i, e := range entries {
		if i > 0 && entries[i-1][:2] == e[:2] {
			t.Errorf("%s stands twice", e[:2])
		}
		short, long := 0, 0
		for n := range 31 {
			if fits(strings.Repeat("0", n), e[2:]) == nil || fits(strings.Repeat("A", n), e[2:]) == nil {
				short++
			}
			if r := fits(strings.Repeat("0", n), e[2:]); r == nil || r.Reason != ReasonWrongLength {
				long++
			}
		}
		if long != 1 || short > 1 {
			t.Errorf("%s: %d lengths fit", e[:2], long)
		}
	}
}

// TestIBANErrors: every wrong digit or letter and every exchange of neighbours is found,
// and what keeps the structure is kept as its own observation. A digit in the place of a
// letter may go unseen, since it shifts the number that ISO 7064 divides.
func TestIBANErrors(t *testing.T) {
	for iban := range strings.FieldsSeq(registryExamples) {
		truth := mustParse(t, Account, iban)
		for i := 2; i < len(iban); i++ {
			for _, c := range "0123456789ABCXYZ" {
				checkDamaged(t, truth, iban, iban[:i]+string(c)+iban[i+1:])
			}
			if i+1 < len(iban) {
				checkDamaged(t, truth, iban, iban[:i]+iban[i+1:i+2]+iban[i:i+1]+iban[i+2:])
			}
		}
	}
}

func checkDamaged(t *testing.T, truth Value, iban, bad string) {
	t.Helper()
	for i := range iban {
		if isDigit(iban[i]) != isDigit(bad[i]) {
			return
		}
	}
	if bad == iban {
		return
	}
	v, changes, err := Parse(Account, bad, Defaults{Scheme: "iban"})
	if err != nil {
		return
	}
	if !v.AsObserved() || v.Equal(truth) || !slices.Contains(changes, changeObserved) {
		t.Fatalf("the damage of %s is not seen", iban[:2])
	}
}

// TestIBANDigits: of the hundred pairs exactly one is right; 00, 01 and 99, which leave
// the remainders of 97, 98 and 02, do not help.
func TestIBANDigits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		bban := "1" + digits(r, 17)
		right := ibanDigits("DE00" + bban)
		if right < "02" || right > "98" {
			t.Fatalf("check digits %s", right)
		}
		for d := range 100 {
			pair := string([]byte{byte('0' + d/10), byte('0' + d%10)})
			v, _, err := Parse(Account, "DE"+pair+bban, Defaults{})
			if err != nil || v.AsObserved() == (pair == right) {
				t.Fatalf("digits %s: observed %t, %v; right are %s", pair, v.AsObserved(), err, right)
			}
		}
	}
}

func TestSchemeTable(t *testing.T) {
	seen := map[string]bool{schemeIBAN: true}
	for _, s := range schemes() {
		if seen[s.name] || s.name != strings.ToLower(s.name) || !strings.HasPrefix(s.name, strings.ToLower(s.country)+"-") {
			t.Errorf("the scheme %s stands twice or does not start with its country", s.name)
		}
		seen[s.name] = true
		if alpha3, _, ok := issuerCode(s.country); !ok || alpha2(alpha3) != s.country {
			t.Errorf("%s: unknown country", s.name)
		}
		if (s.alias == nil) == (s.bank == 0) || s.alias == nil && (s.bankOK == nil || s.shortest < 4 || s.longest < s.shortest) {
			t.Errorf("%s: neither a bank scheme nor an alias", s.name)
		}
	}
}

func TestSchemes(t *testing.T) {
	for _, c := range []struct{ scheme, raw, want string }{
		{"au-bsb", "062-000 1230 4560", "au-bsb:062000:12304560"},
		{"au-bsb", "062000/12304560", "au-bsb:062000:12304560"},
		{"au-bsb", "062 000:12304560", "au-bsb:062000:12304560"},
		{"au-bsb", "062-00 012304560", "!bank_code"},
		{"au-bsb", "06200012304560", "!bank_code"},
		{"au-bsb", "062-000", "!bank_code"},
		{"au-bsb", "062-000 1230", "!too_short"},
		{"au-bsb", "062-000 12304560123", "!too_long"},
		{"au-bsb", "062-OOO 12304560", "!bank_code"},
		{"au-bsb", "062-000 1230456O", "!structure"},
		{"au-bsb", "062-000 99999999", "!stop_value"},
		{"in-ifsc", "sbin0001230 30012345670", "in-ifsc:SBIN0001230:30012345670"},
		{"in-ifsc", "SBINO001230 30012345670", "!bank_code"},
		{"us-aba", "021000021/12304560", "us-aba:021000021:12304560"},
		{"us-aba", "02100002112304560", "us-aba:021000021:12304560"},
		{"us-aba", "021000012/12304560", "?us-aba:021000012:12304560"},
		{"nz-bank", "01-0902-0068389-00", "nz-bank:010902:006838900"},
		{"jp-zengin", "0001-001 0123056", "jp-zengin:0001001:0123056"},
		{"gb-sortcode", "20-00-00 55779911", "gb-sortcode:200000:55779911"},
		{"vn-bank", "970436 0071000123056", "vn-bank:970436:0071000123056"},
		{"th-bank", "004-123-0-45607-8", "th-bank:004:1230456078"},
		{"id-bank", "014 5550123987", "id-bank:014:5550123987"},
		{"sg-bank", "7171 001 5550123987", "sg-bank:7171001:5550123987"},
		{"th-promptpay", "070-555-0123", "th-promptpay:phone:+66705550123"},
		{"th-promptpay", "0066705550123", "th-promptpay:phone:+66705550123"},
		{"th-promptpay", "phone:0705550123", "th-promptpay:phone:+66705550123"},
		{"th-promptpay", "id:0705550123", "!structure"},
		{"th-promptpay", "1234567890121", "th-promptpay:id:1234567890121"},
		{"th-promptpay", "1234567890120", "?th-promptpay:id:1234567890120"},
		{"th-promptpay", "1111111111111", "!stop_value"},
		{"th-promptpay", "140055501239876", "th-promptpay:wallet:140055501239876"},
		{"id-gopay", "081000550123", "id-gopay:phone:+6281000550123"},
		{"ph-gcash", "+63 900 555 0123", "ph-gcash:phone:+639005550123"},
		{"ph-gcash", "12", "!too_short"},
		{"xx-bank", "1 2", "!unknown_scheme"},
		{"", "062-000 12304560", "!scheme_missing"},
		{"", "AU-BSB:062-000:12304560", "au-bsb:062000:12304560"},
		{"au-bsb", "th-bank:004:1230456078", "th-bank:004:1230456078"},
		{"iban", "NL91 ABNA 0417 1643 00", "iban:NL91ABNA0417164300"},
		{"iban", "nl91abna0417164300", "iban:NL91ABNA0417164300"},
		{"au-bsb", "NL91ABNA0417164300", "iban:NL91ABNA0417164300"},
		{"", "NL91ABNA041716430", "!wrong_length"},
		{"iban", "N", "!structure"},
		{"iban", "ÑL91ABNA0417164300", "!script"},
	} {
		v, _, err := Parse(Account, c.raw, Defaults{Scheme: c.scheme})
		if reason, bad := strings.CutPrefix(c.want, "!"); bad {
			wantReason(t, err, reason)
			continue
		}
		want, observed := strings.CutPrefix(c.want, "?")
		if err != nil || v.Canonical() != want || v.AsObserved() != observed {
			t.Errorf("%s %q: %q, observed %t, %v", c.scheme, c.raw, v.Canonical(), v.AsObserved(), err)
		}
	}
}
