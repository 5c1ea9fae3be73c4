package indicator

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"entente/protocol/person"
)

// FuzzParse: whatever comes in, the outcome is a fixed rejection or a value whose element
// and canonical text both lead back to it.
func FuzzParse(f *testing.F) {
	for i, k := range Kinds() {
		for _, r := range loadCorpus(f, k) {
			d := defaultsOf(f, r.defaults)
			f.Add(byte(i), r.raw, d.Country, d.Platform, d.Issuer, d.Scheme, string(d.Calendar), string(d.Order), d.Model)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, raw, country, platform, issuer, scheme, calendar, order, model string) {
		k := Kinds()[int(kind)%len(Kinds())]
		d := Defaults{
			Country: country, Platform: platform, Issuer: issuer, Scheme: scheme, ProviderRules: kind >= 128,
			Calendar: person.Calendar(calendar), Order: person.Order(order), Model: model,
		}
		v, changes, err := Parse(k, raw, d)
		if err != nil {
			r, ok := errors.AsType[*Rejection](err)
			if !ok || !slices.Contains(Reasons(), r.Reason) || r.Text != r.Reason.text() {
				t.Fatalf("rejection %v", err)
			}
			return
		}
		for _, c := range changes {
			if c.Code == "" || c.Text == "" {
				t.Fatal("a change without code or text")
			}
		}
		checkRoundTrip(t, k, v)
	})
}

func checkRoundTrip(t *testing.T, k Kind, v Value) {
	t.Helper()
	d, _ := lookup(k)
	if most, _ := d.limits(); len(v.Element()) < 2 || len(v.Element()) > most {
		t.Fatalf("element of %d bytes", len(v.Element()))
	}
	back, err := Restore(k, v.Element())
	if err != nil || !back.Equal(v) || !slices.Equal(back.Element(), v.Element()) {
		t.Fatalf("restore of %q: %v", v.Canonical(), err)
	}
	again, _, err := Parse(k, v.Canonical(), Defaults{})
	if err != nil || !again.Equal(v) {
		t.Fatalf("parse of canonical %q: %v", v.Canonical(), err)
	}
}

// FuzzRestore: accepted bytes are canonical, so they come back unchanged from the value,
// and from parsing its text.
func FuzzRestore(f *testing.F) {
	for i, k := range Kinds() {
		for _, r := range loadCorpus(f, k) {
			if r.canonical != "" {
				f.Add(byte(i), []byte("\x01"+r.canonical))
				f.Add(byte(i), []byte("\x02"+r.canonical))
			}
		}
	}
	for _, e := range badElements() {
		f.Add(byte(slices.Index(Kinds(), e.kind)), []byte(e.element))
	}
	f.Fuzz(func(t *testing.T, kind byte, element []byte) {
		k := Kinds()[int(kind)%len(Kinds())]
		v, err := Restore(k, element)
		if err != nil {
			if _, ok := errors.AsType[*Rejection](err); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if !slices.Equal(v.Element(), element) {
			t.Fatalf("element %x came back as %x", element, v.Element())
		}
		checkRoundTrip(t, k, v)
	})
}

// TestAllocation bounds what hostile text and bytes can make the parsers take, once the
// phone rules have compiled their patterns.
func TestAllocation(t *testing.T) {
	var hostile []string
	for _, unit := range []string{"1", "a", "0", ":", ".", "@", "<", "/", " ", "+", "1 ", "a.", "\u0e41", "\xff", "xn--a.", "1,", `"`, `\`, "١"} {
		for _, n := range []int{1, 30, 254, 1000} {
			s := strings.Repeat(unit, n/len(unit)+1)
			hostile = append(hostile, s, "+1"+s, "telegram:"+s, "https://"+s, "iban:GB"+s, "bc1"+s, "a@"+s, `"`+s+`"@a.example`, "1990|"+s, "m/64:"+s)
		}
	}
	for _, unit := range []string{"1 ", "-.5e9,", "A", "[", "\u200b", "0;"} { // only faces may be so long
		hostile = append(hostile, strings.Repeat(unit, 60000/len(unit)), "m/1024:"+strings.Repeat(unit, 60000/len(unit)))
	}
	for _, k := range Kinds() {
		for _, s := range hostile {
			limit := uint64(16*len(s) + 64<<10)
			if testing.Short() { // the race detector's run, which empties pools at random
				limit *= 8
			}
			if got := allocated(limit, func() { _, _, _ = Parse(k, s, Defaults{Country: "AU", Model: "m"}) }); got > limit {
				t.Errorf("%s: parsing %d bytes %.9q takes %d", k, len(s), s, got)
			}
			if got := allocated(limit, func() { _, _ = Restore(k, []byte("\x01"+s)) }); got > limit {
				t.Errorf("%s: restoring %d bytes takes %d", k, len(s), got)
			}
		}
	}
}

// allocated runs f until it stays below the limit, at most ten times, and returns
// the last figure: other goroutines allocate too, and the patterns' work space comes from
// a pool that is emptied now and then.
func allocated(limit uint64, f func()) uint64 {
	var got uint64
	for range 10 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		if got = after.TotalAlloc - before.TotalAlloc; got <= limit {
			break
		}
	}
	return got
}

// TestConcurrent runs all kinds from several goroutines; the race detector watches.
func TestConcurrent(t *testing.T) {
	corpora := map[Kind][]row{}
	for _, k := range Kinds() {
		corpora[k] = loadCorpus(t, k)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for k, rows := range corpora {
				for _, r := range rows {
					if got := r.compute(t, k); got != r.output {
						t.Errorf("%s: another output beside other goroutines", k)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkParse(b *testing.B) {
	for _, c := range []struct {
		name, raw string
		kind      Kind
		defaults  Defaults
	}{
		{"phone/international", "+61491570006", Phone, Defaults{Country: "AU"}},
		{"phone/grouped", "+61 491 570 006", Phone, Defaults{Country: "AU"}},
		{"phone/national", "0491 570 006", Phone, Defaults{Country: "AU"}},
		{"phone/plain", "0491570006", Phone, Defaults{Country: "AU"}},
		{"phone/unassigned", "+66 70 555 0123", Phone, Defaults{}},
		{"document", "N1230123", Document, Defaults{Issuer: "AU"}},
		{"handle", "https://t.me/River_Trader", Handle, Defaults{}},
		{"email", "River@example.org", Email, Defaults{}},
		{"iban", "GB29 NWBK 6016 1331 9268 19", Account, Defaults{}},
		{"wallet", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", Wallet, Defaults{}},
		{"domain", "shop.example.org", Domain, Defaults{}},
		{"person", "1990-05-17|Omar Khalid", Person, Defaults{}},
		{"face", numberList(rand.New(rand.NewPCG(1, 1)), 512), Face, Defaults{Model: "m"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Parse(c.kind, c.raw, c.defaults); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRestore(b *testing.B) {
	element := mustParse(b, Phone, "+61491570006").Element()
	for b.Loop() {
		if _, err := Restore(Phone, element); err != nil {
			b.Fatal(err)
		}
	}
}
