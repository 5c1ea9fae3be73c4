package indicator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestZoneDigit: the worked examples of ICAO Doc 9303 and of its specimen documents.
func TestZoneDigit(t *testing.T) {
	for field, want := range map[string]byte{
		"520727":         '3', // part 3, date of birth
		"AB2134<<<":      '5', // part 3, number with fillers
		"L898902C3":      '6',
		"740812":         '2',
		"120415":         '9',
		"ZE184226B<<<<<": '1',
		"D23145890":      '7',
		"D23145890734":   '9', // part 5, long number
		"L898902C<":      '3',
		"":               '0',
		"<<<<<<":         '0',
		"L898902C3674081221204159ZE184226B<<<<<1": '0', // composite of TD3
	} {
		if got := zoneDigit(field); got != want {
			t.Errorf("check digit of %q is %c, want %c", field, got, want)
		}
	}
}

// zoneOf writes a machine-readable zone of invented fields with correct digits.
func zoneOf(size, issuer, number string) string {
	birth, expiry := "800101", "300101"
	dates := birth + string(zoneDigit(birth)) + "X" + expiry + string(zoneDigit(expiry))
	digits := dates[:7] + dates[8:]
	switch size {
	case "TD1":
		field, rest := numberField(number)
		first := "I<" + issuer + field + pad(rest, 15)
		second := dates + issuer + pad("", 11)
		return first + "\n" + second + string(zoneDigit(first[5:]+digits+pad("", 11))) + "\n" + pad("DOE<<JO", 30)
	case "TD2":
		field, rest := numberField(number)
		second := field + issuer + dates + pad(rest, 7)
		return pad("I<"+issuer+"DOE<<JO", 36) + "\n" + second + string(zoneDigit(field+digits+pad(rest, 7)))
	}
	field, _ := numberField(number)
	optional := pad("", 14) + "<"
	return pad("P<"+issuer+"DOE<<JO", 44) + "\n" + field + issuer + dates + optional + string(zoneDigit(field+digits+optional))
}

// numberField is nine characters and their digit; a longer number goes on in the optional
// data, with its digit behind it.
func numberField(number string) (field, rest string) {
	if len(number) > 9 {
		return number[:9] + "<", number[9:] + string(zoneDigit(number)) + "<"
	}
	number = pad(number, 9)
	return number + string(zoneDigit(number)), ""
}

func pad(s string, n int) string { return s + strings.Repeat("<", n-len(s)) }

// TestZones: a number means the same whether it is typed or comes in a zone of any size.
func TestZones(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		issuer := pick(r, "AUS", "IDN", "D<<", "UNO", "XXB")
		number := strings.ToUpper(word(r, 1)) + digits(r, 6+r.IntN(3))
		size := pick(r, "TD1", "TD2", "TD3")
		if size != "TD3" && r.IntN(3) == 0 {
			number = strings.ToUpper(word(r, 2)) + digits(r, 10)
		}
		typed, _, err := Parse(Document, number, Defaults{Issuer: issuer})
		if err != nil {
			continue // a placeholder by chance
		}
		zone := zoneOf(size, issuer, number)
		v, changes, err := Parse(Document, zone, Defaults{})
		if err != nil || !v.Equal(typed) {
			t.Fatalf("%s of %s:%s: %q, %v", size, issuer, number, v.Canonical(), err)
		}
		for _, c := range changes {
			if c == changeZoneDigits || c == changeObserved {
				t.Fatalf("%s of %s:%s: %s", size, issuer, number, c.Code)
			}
		}
		for _, layout := range []string{strings.ReplaceAll(zone, "\n", ""), strings.ReplaceAll(zone, "\n", "\r\n"), strings.ToLower(zone)} {
			if w, _, err := Parse(Document, layout, Defaults{}); err != nil || !w.Equal(v) {
				t.Fatalf("another layout of %s: %v", size, err)
			}
		}
	}
}

// TestZoneDamage: no single wrong character in the number field leads to the true number,
// and a wrong digit alone leads to an observation.
func TestZoneDamage(t *testing.T) {
	for _, size := range []string{"TD1", "TD2", "TD3"} {
		zone := zoneOf(size, "AUS", "N1230123")
		truth := mustParse(t, Document, zone)
		start := strings.Index(zone, "N1230123")
		for i := start; i < start+10; i++ {
			for _, c := range "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" {
				bad := zone[:i] + string(c) + zone[i+1:]
				if bad == zone {
					continue
				}
				v, _, err := Parse(Document, bad, Defaults{})
				if err == nil && v.Equal(truth) {
					t.Fatalf("%s: %q at %d gives the true number", size, c, i-start)
				}
				if i == start+9 && c <= '9' && (err != nil || !v.AsObserved()) {
					t.Errorf("%s: the wrong digit %q is no observation: %v", size, c, err)
				}
			}
		}
	}
}

// TestZoneOtherDigits: a wrong digit elsewhere is told, and the number is kept.
func TestZoneOtherDigits(t *testing.T) {
	for _, size := range []string{"TD1", "TD2", "TD3"} {
		zone := zoneOf(size, "AUS", "N1230123")
		truth := mustParse(t, Document, zone)
		at := strings.Index(zone, "800101") + 6
		for name, i := range map[string]int{"birth": at, "expiry": at + 8} {
			bad := zone[:i] + string('0'+(zone[i]-'0'+1)%10) + zone[i+1:]
			v, changes, err := Parse(Document, bad, Defaults{})
			if err != nil || !v.Equal(truth) || !strings.Contains(fmt.Sprint(changes), changeZoneDigits.Code) {
				t.Errorf("%s, digit of %s: %v %v", size, name, changes, err)
			}
		}
	}
}

// TestZoneFillers: fillers inside a number stand for separators; they count for the digit
// and not for the number.
func TestZoneFillers(t *testing.T) {
	line := "AB<12301<" + string(zoneDigit("AB<12301<")) + "AUS" + "8001014X3001019" + pad("", 15)
	v, _, err := Parse(Document, line+"0", Defaults{})
	if err != nil || v.Canonical() != "AUS:AB12301" || v.AsObserved() {
		t.Errorf("%q, observed %t, %v", v.Canonical(), v.AsObserved(), err)
	}
}

func TestIssuers(t *testing.T) {
	countries := strings.Fields(isoCountries)
	if len(countries) != 249 {
		t.Errorf("%d countries, ISO 3166-1 has 249", len(countries))
	}
	two, three := map[string]bool{}, map[string]bool{}
	for _, c := range countries {
		if len(c) != 5 || two[c[:2]] || three[c[2:]] {
			t.Errorf("the entry %s is malformed or stands twice", c)
		}
		two[c[:2]], three[c[2:]] = true, true
		short, _, ok := issuerCode(c[:2])
		long, _, okLong := issuerCode(c[2:])
		if !ok || !okLong || short != long || !knownIssuer(short) || alpha2(short) != c[:2] {
			t.Errorf("%s: %q and %q", c, short, long)
		}
	}
	for special := range strings.FieldsSeq(icaoIssuers) {
		if three[special] || !knownIssuer(special) {
			t.Errorf("the special issuer %s is a country or not canonical", special)
		}
	}
	for alias := range strings.FieldsSeq(issuerAliases) {
		from, to, ok := strings.Cut(alias, "=")
		if got, _, known := issuerCode(from); !ok || !known || got != to || !knownIssuer(to) {
			t.Errorf("alias %s gives %q", alias, got)
		}
	}
}

func TestIssuerCode(t *testing.T) {
	for in, want := range map[string]string{
		"AU": "AUS", "aus": "AUS", " AUS ": "AUS", "D<<": "D<<", "D": "D<<", "de": "D<<", "DEU": "D<<",
		"XXA": "XXA", "UN": "UNO", "UNO": "UNO", "eu": "EUE", "GBN": "GBN", "XK": "RKS", "KOS": "RKS",
		"": "", "<<<": "", "A": "", "ZZ": "", "ZZZ": "", "AUST": "", "A<<": "", "XXX": "XXX", "XXD": "", "ÄU": "",
	} {
		got, _, ok := issuerCode(in)
		if got != want || ok != (want != "") {
			t.Errorf("issuer of %q is %q, %t", in, got, ok)
		}
	}
	for _, not := range []string{"DEU", "D", "AU", "aus", "", "ROM", "<<<"} {
		if knownIssuer(not) {
			t.Errorf("%q counts as canonical", not)
		}
	}
}

// TestDocumentLength: at the edges of the length.
func TestDocumentLength(t *testing.T) {
	const number = "A120340560780910230450"
	for n, reason := range map[int]Reason{
		1: ReasonTooShort, minDocument - 1: ReasonTooShort, minDocument: "", 9: "", maxDocument: "",
	} {
		_, _, err := Parse(Document, number[:n], Defaults{Issuer: "AU"})
		if reason == "" && err != nil {
			t.Errorf("%d characters: %v", n, err)
		}
		if reason != "" {
			wantReason(t, err, string(reason))
		}
	}
	_, _, err := Parse(Document, number+"1", Defaults{Issuer: "AU"})
	wantReason(t, err, string(ReasonTooLong))
}

func TestStopDocument(t *testing.T) {
	for n, want := range map[string]bool{
		"0000": true, "00000000": true, "A0000000": true, "AB999999": true, "123456789": true, "87654321": true,
		"ABC11111": false, "A12345678": false, "1123456": false, "N1230123": false, "A111": false, "12345": false,
	} {
		if stopDocument(n) != want {
			t.Errorf("stop value %q is %t", n, !want)
		}
	}
}

func TestConfusable(t *testing.T) {
	for n, want := range map[string]bool{
		"N1230123": false, "OB123012": false, "N123O123": true, "N12301I3": true, "1S230123": true, "N1230B": true,
		"C01X00T47": false,
	} {
		if confusable(n) != want {
			t.Errorf("easily confused %q is %t", n, !want)
		}
	}
}
