package indicator

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// nearPairs is how many pairs a kind must come to in which both sides are values.
const nearPairs = 4000

// generator makes canonical texts of one kind, and texts that differ from one in a single
// digit, letter or country code.
type generator struct {
	make    func(*rand.Rand) string
	special func(*rand.Rand, string) string // another country, issuer, platform, bank
}

func generators() map[Kind]generator {
	return map[Kind]generator{
		Phone:    {randomPhone, otherCountryCode},
		Document: {randomDocument, otherIssuer},
		Handle:   {randomHandle, otherPlatform},
		Email:    {func(r *rand.Rand) string { return word(r, 8) + "@" + word(r, 6) + ".example" }, swapEnds},
		Account:  {randomAccount, otherBank},
		Wallet:   {randomWallet, otherChain},
		Domain:   {func(r *rand.Rand) string { return word(r, 7) + "." + word(r, 6) + ".example" }, swapEnds},
		Person:   {randomPerson, otherBirth},
		Face:     {randomFace, otherFace},
	}
}

// TestNearIdentical: values that differ in one place never share an element.
func TestNearIdentical(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(string(k), func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, uint64(len(k))))
			g, ok := generators()[k]
			if !ok {
				t.Fatal("the kind has no generator")
			}
			pairs, tries, want := 0, 0, nearPairs
			if testing.Short() {
				want /= 8
			}
			for ; pairs < want; tries++ {
				if tries > 200*want {
					t.Fatalf("only %d pairs", pairs)
				}
				text := g.make(r)
				v, _, err := Parse(k, text, Defaults{})
				if err != nil {
					continue
				}
				other := oneOff(r, v.Canonical())
				if r.IntN(4) == 0 {
					other = g.special(r, v.Canonical())
				}
				if w, _, err := Parse(k, other, Defaults{}); err == nil && other != v.Canonical() {
					pairs++
					if slices.Equal(v.Element(), w.Element()) {
						t.Fatalf("%q and %q share an element", v.Canonical(), other)
					}
				}
			}
		})
	}
}

// oneOff replaces one digit by another digit or one letter by another letter of its case.
func oneOff(r *rand.Rand, s string) string {
	b := []byte(s)
	for {
		i := r.IntN(len(b))
		switch c := b[i]; {
		case isDigit(c):
			b[i] = '0' + (c-'0'+1+byte(r.IntN(9)))%10
		case isUpper(c):
			b[i] = 'A' + (c-'A'+1+byte(r.IntN(25)))%26
		case isLower(c):
			b[i] = 'a' + (c-'a'+1+byte(r.IntN(25)))%26
		default:
			continue
		}
		return string(b)
	}
}

func digits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + r.IntN(10)))
	}
	return b.String()
}

func word(r *rand.Rand, n int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	for range n {
		b.WriteByte(alphabet[r.IntN(len(alphabet))])
	}
	return b.String()
}

func pick(r *rand.Rand, s ...string) string { return s[r.IntN(len(s))] }

// randomPhone keeps the leading digits of a country's example number and rolls the rest,
// or rolls everything.
func randomPhone(r *rand.Rand) string {
	regions := regionList()
	example := phonenumbers.GetExampleNumber(regions[r.IntN(len(regions))])
	if example == nil {
		return "+61" + digits(r, 9)
	}
	text := phonenumbers.Format(example, phonenumbers.E164)
	keep := len(text) - 4
	if r.IntN(2) == 0 {
		keep = len(text) - len(phonenumbers.GetNationalSignificantNumber(example))
	}
	return text[:keep] + digits(r, len(text)-keep)
}

func regionList() []string {
	var out []string
	for region := range phonenumbers.GetSupportedRegions() {
		out = append(out, region)
	}
	slices.Sort(out)
	return out
}

// otherCountryCode keeps the national number.
func otherCountryCode(r *rand.Rand, s string) string {
	n, err := phonenumbers.Parse(s, "")
	if err != nil {
		return s
	}
	code := pick(r, "1", "7", "44", "60", "61", "62", "63", "65", "66", "84", "91", "92", "94", "95", "855", "856", "880", "977")
	return "+" + code + phonenumbers.GetNationalSignificantNumber(n)
}

func randomDocument(r *rand.Rand) string {
	s := pick(r, "AUS", "IDN", "THA", "D<<", "XXA", "UNO", "GBR") + ":" + strings.ToUpper(word(r, r.IntN(3))) + digits(r, 6+r.IntN(3))
	if r.IntN(4) == 0 {
		s += ":" + digits(r, 1)
	}
	return s
}

func otherIssuer(r *rand.Rand, s string) string {
	_, number, _ := strings.Cut(s, ":")
	return pick(r, "AUT", "AUS", "IRN", "IRQ", "IDN", "IND", "D<<", "DNK", "XXA", "XXB", "XXC", "UNO", "UNA") + ":" + number
}

func randomHandle(r *rand.Rand) string {
	switch r.IntN(3) {
	case 0:
		return pick(r, "telegram", "facebook", "instagram", "tiktok", "x") + ":id:" + pick(r, "1", "5", "8") + digits(r, 10)
	case 1:
		return pick(r, "whatsapp", "viber", "signal", "telegram") + ":phone:+614915" + digits(r, 5)
	}
	return pick(r, "telegram", "facebook", "instagram", "line", "x", "wechat") + ":name:" + word(r, 8) + digits(r, 2)
}

// otherPlatform changes the platform or the sort.
func otherPlatform(r *rand.Rand, s string) string {
	platform, rest, _ := strings.Cut(s, ":")
	if r.IntN(2) == 0 {
		_, account, _ := strings.Cut(rest, ":")
		return platform + ":" + pick(r, "id", "name", "phone") + ":" + account
	}
	return pick(r, "telegram", "facebook", "instagram", "line", "x", "wechat", "whatsapp", "viber", "signal", "threads") + ":" + rest
}

func randomAccount(r *rand.Rand) string {
	switch r.IntN(3) {
	case 0:
		bban := "NWBK" + digits(r, 14)
		return "iban:GB" + ibanDigits("GB00"+bban) + bban
	case 1:
		return "us-aba:" + digits(r, 9) + ":" + digits(r, 9)
	}
	return pick(r, "au-bsb:062", "vn-bank:970", "gb-sortcode:601") + digits(r, 3) + ":" + digits(r, 8)
}

func otherBank(r *rand.Rand, s string) string {
	if rest, ok := strings.CutPrefix(s, "iban:GB"); ok {
		return "iban:IE" + rest
	}
	_, rest, _ := strings.Cut(s, ":")
	return pick(r, "au-bsb:", "vn-bank:", "gb-sortcode:", "nz-bank:", "us-aba:") + rest
}

// randomWallet makes addresses with valid checksums over payloads with few set bits, so
// that many differ in one place.
func randomWallet(r *rand.Rand) string {
	payload := make([]byte, base58Payload)
	for range 3 {
		payload[1+r.IntN(len(payload)-1)] = byte(r.IntN(256))
	}
	switch r.IntN(4) {
	case 0:
		payload[0] = 0x05
		return "bitcoin:" + base58checkEncode(payload)
	case 1:
		payload[0] = 0x41
		return "tron:" + base58checkEncode(payload)
	case 2:
		return "bitcoin:" + base58checkEncode(payload)
	}
	return "ethereum:0x" + hex.EncodeToString(payload[1:])
}

// otherChain writes the same hash as an address of another sort.
func otherChain(r *rand.Rand, s string) string {
	if rest, ok := strings.CutPrefix(s, "ethereum:0x"); ok {
		payload, err := hex.DecodeString(pick(r, "00", "05", "41") + rest)
		if err != nil {
			return s
		}
		return base58checkEncode(payload)
	}
	_, address, _ := strings.Cut(s, ":")
	payload, rejected := base58check(address)
	if rejected != nil {
		return s
	}
	other := slices.Clone(payload)
	other[r.IntN(len(other))] ^= 1 << r.IntN(8)
	if other[0] == 0x00 || other[0] == 0x05 || other[0] == 0x41 {
		return base58checkEncode(other)
	}
	return "0x" + hex.EncodeToString(other[1:])
}

func randomPerson(r *rand.Rand) string {
	s := fmt.Sprintf("%d-%02d-%02d", 1900+r.IntN(120), 1+r.IntN(12), 1+r.IntN(28))
	for range 1 + r.IntN(3) {
		s += "|" + word(r, 4) + " " + word(r, 7)
	}
	return s
}

// otherBirth keeps the names and a part of the date.
func otherBirth(r *rand.Rand, s string) string {
	born, names, _ := strings.Cut(s, "|")
	return pick(r, born[:4], born[:7], born[:4]+"-01-02", born[:8]+"29") + "|" + names
}

func randomFace(r *rand.Rand) string {
	numbers := make([]float64, leastFace+faceStep*r.IntN(4))
	for i := range numbers {
		numbers[i] = r.NormFloat64()
	}
	v, _, err := ParseFace(pick(r, "net-1", "net-2", "a.b_c", "arc-100"), numbers)
	if err != nil {
		return ""
	}
	return v.Canonical()
}

// otherFace keeps the vector under another model, or changes one coordinate by one.
func otherFace(r *rand.Rand, s string) string {
	model, vector, ok := FaceVector([]byte("\x01" + s))
	if !ok {
		return s
	}
	if r.IntN(2) == 0 {
		return face{pick(r, "net-1", "net-2", "a.b_c", "arc-100"), vector}.text()
	}
	vector[r.IntN(len(vector))]++
	return face{model, vector}.text()
}

// swapEnds exchanges two neighbouring letters.
func swapEnds(r *rand.Rand, s string) string {
	b := []byte(s)
	i := r.IntN(4)
	b[i], b[i+1] = b[i+1], b[i]
	return string(b)
}

// TestLookalikes lists pairs that a careless normaliser merges.
func TestLookalikes(t *testing.T) {
	for _, p := range []struct {
		kind Kind
		a, b string
	}{
		{Phone, "+61491570006", "+62491570006"},
		{Phone, "+390655501234", "+39655501234"},
		{Document, "AUS:N123O123", "AUS:N1230123"},
		{Document, "AUS:NI230123", "AUS:N1230123"},
		{Document, "AUS:N12S0123", "AUS:N1250123"},
		{Document, "AUS:N12B0123", "AUS:N1280123"},
		{Document, "AUS:01230123", "AUS:1230123"},
		{Document, "AUS:N1230123", "AUS:N1230123:9"},
		{Document, "XXB:A1230123", "XXC:A1230123"},
		{Handle, "line:river_trader", "line:@river_trader"},
		{Handle, "telegram:id:5550123987", "whatsapp:phone:+15550123987"},
		{Handle, "instagram:id:55501239", "instagram:name:55501239"},
		{Handle, "instagram:river.trader", "instagram:rivertrader"},
		{Handle, "youtube:UCa1B2c3D4e5F6g7H8i9J0kL", "youtube:UCa1B2c3D4e5F6g7H8i9J0kl"},
		{Email, "ri.ver@gmail.com", "river@gmail.com"},
		{Email, "river+a@example.org", "river@example.org"},
		{Account, "au-bsb:062000:01230123", "au-bsb:062000:1230123"},
		{Account, "iban:GB29NWBK60161331926819", "iban:GB28NWBK60161331926819"},
		{Domain, "example.org", "www.example.org"},
		{Domain, "faß.example", "fass.example"},
		{Domain, "раypal.example", "paypal.example"},
		{Person, "1990-05-17|omar khalid", "1990-05-17|khalid omar"},
		{Person, "1990-05-17|omar khalid", "1990-05|omar khalid"},
		{Face, "net-1/64:" + plainFace(), "net.1/64:" + plainFace()},
	} {
		a, errA := element(p.kind, p.a)
		b, errB := element(p.kind, p.b)
		if errA == nil && errB == nil && a == b {
			t.Errorf("%s: %s and %s share an element", p.kind, p.a, p.b)
		}
		if errA != nil && errB != nil {
			t.Errorf("%s: both of a pair are rejected: %v, %v", p.kind, errA, errB)
		}
	}
}

func element(k Kind, raw string) (string, error) {
	v, _, err := Parse(k, raw, Defaults{})
	return fmt.Sprintf("%x", v.Element()), err
}
