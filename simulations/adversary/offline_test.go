package adversary

import (
	"math"
	"testing"

	"entente/crypto/oprf"
	"entente/crypto/ristretto"
	"entente/protocol/standing"
)

// TestOfflineFindsNothing is the property for many seeds and sizes.
func TestOfflineFindsNothing(t *testing.T) {
	for seed := range uint64(12) {
		s := Settings{Guesses: 1000, Held: 1 + int(seed*seed)*8, Quota: 64, Seed: seed}
		p, b := rig(t, s)
		var r Report
		if err := sweepTags(t.Context(), p, b, func(string, int, int) {}, &r); err != nil {
			t.Fatal(err)
		}
		tags := r.Results.Tags
		if tags.Recovered != 0 || tags.False != 0 || tags.Control.Found != s.Held || tags.Control.Tested < s.Held {
			t.Errorf("seed %d: %+v", seed, tags)
		}
		for _, w := range tags.Ways {
			if w.Found != 0 || w.Tested < s.Quota || w.Name == "" || w.How == "" {
				t.Errorf("seed %d: %+v", seed, w)
			}
		}
	}
}

// TestTesterWouldFind gives the attacker each of the weaknesses that it looks for, one at a
// time, and wants every listed number found. Else finding nothing would show nothing.
func TestTesterWouldFind(t *testing.T) {
	p, b := rig(t, Settings{Guesses: 1000, Held: 90, Quota: 64, Seed: 5})
	public := b.current.open.Period.Public[:]
	test, err := newTester(p, b.current, nil)
	if err != nil {
		t.Fatal(err)
	}
	multiply := func(input []byte, by *ristretto.Scalar) []byte {
		var points ristretto.Points
		if err := test.group.HashToGroup(&points, [][]byte{input}, []byte(groupDomain)); err != nil {
			t.Fatal(err)
		}
		if by != nil {
			test.group.Mul(&points, &points, by)
		}
		out := make([]byte, ristretto.Size)
		test.group.Encode(out, &points)
		return out
	}
	for way, weak := range map[int]func(n int, input []byte) []byte{
		wayHashes: func(n int, _ []byte) []byte { return element(n) },
		wayPublic: func(_ int, input []byte) []byte { return finalize(input, public) },
		wayNoKey:  func(_ int, input []byte) []byte { return finalize(input, multiply(input, nil)) },
		wayOwnKey: func(_ int, input []byte) []byte { return finalize(input, multiply(input, &test.own)) },
	} {
		tags := map[standing.Tag]bool{}
		for i, input := range inputsOf(b.current.inputs, p.list) {
			tags[standing.EntryOf(weak(p.list[i], input)).Tag] = true
		}
		w, err := newTester(p, b.current, tags)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.test(p.order); err != nil {
			t.Fatal(err)
		}
		if w.ways[way].Found != p.Held || len(w.named) != p.Held {
			t.Errorf("%s: found %d of %d", w.ways[way].Name, w.ways[way].Found, p.Held)
		}
	}
}

// TestTesterFindsReuse publishes the tags of the other subscription and of the earlier
// period as if keys were the same.
func TestTesterFindsReuse(t *testing.T) {
	p, b := rig(t, Settings{Guesses: 1000, Held: 90, Quota: 512, Seed: 5})
	for _, reused := range []*published{b.before, b.other} {
		test, err := newTester(p, b.current, reused.set())
		if err != nil {
			t.Fatal(err)
		}
		if err := test.testOthers(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if test.ways[wayTags].Found != len(reused.tags) {
			t.Errorf("found %d of %d tags", test.ways[wayTags].Found, len(reused.tags))
		}
		if want := plainIntersection(p.Settings, p.Quota); reused == b.other && test.ways[wayAnswers].Found != want {
			t.Errorf("found %d items with the answers, want %d", test.ways[wayAnswers].Found, want)
		}
	}
}

// TestFunctionIsTheReal compares the attacker's arithmetic with the package that B uses:
// under the RFC's key derivation both must give the same tags.
func TestFunctionIsTheReal(t *testing.T) {
	p, b := rig(t, Settings{Guesses: 1000, Held: 10, Quota: 64, Seed: 6})
	seed, info := make([]byte, oprf.SeedSize), []byte("test")
	key, err := oprf.DeriveKey(oprf.Batched, seed, info)
	if err != nil {
		t.Fatal(err)
	}
	test, err := newTester(p, b.current, nil)
	if err != nil {
		t.Fatal(err)
	}
	// RFC 9497 section 3.2.1, first attempt.
	message := append(append(append(seed, 0, byte(len(info))), info...), 0)
	if test.own, err = ristretto.HashToScalar(message, []byte("DeriveKeyPairOPRFV1-\x01-ristretto255-SHA512")); err != nil {
		t.Fatal(err)
	}
	real, err := tagsOf(t.Context(), key, inputsOf(b.current.inputs, p.list), unseen)
	if err != nil {
		t.Fatal(err)
	}
	test.tags = map[standing.Tag]bool{}
	for _, tag := range real {
		test.tags[tag] = true
	}
	if err := test.test(p.list); err != nil || test.ways[wayOwnKey].Found != p.Held {
		t.Errorf("%d of %d tags are the same: %v", test.ways[wayOwnKey].Found, p.Held, err)
	}
}

// TestPublication holds B's publication to the rules of the protocol.
func TestPublication(t *testing.T) {
	p, b := rig(t, Settings{Guesses: 1000, Held: 500, Quota: 64, Seed: 1})
	for _, one := range []*published{b.current, b.before, b.other} {
		if len(one.tags) != one.session.PublicationClass(p.Held) || len(one.set()) != len(one.tags) {
			t.Errorf("%d tags, %d of them different", len(one.tags), len(one.set()))
		}
		if _, err := standing.OpenPeriod(one.session, b.key.Public(), one.open.Signed); err != nil {
			t.Error(err)
		}
	}
	if b.before.open.Period.Ends != b.current.open.Period.Starts {
		t.Error("the earlier period does not end where the current one begins")
	}
}

// TestFilter checks the baseline on its own: no element is missed, and wrong answers come
// about as often as it was made for.
func TestFilter(t *testing.T) {
	const n, rate = 20_000, 1e-2
	f := newFilter(n, rate, []byte("key"))
	r := f.reader()
	for i := range n {
		r.add(element(i))
	}
	for i := range n {
		if !r.has(element(i)) {
			t.Fatalf("element %d is missing", i)
		}
	}
	wrong := 0
	for i := n; i < 11*n; i++ {
		if r.has(element(i)) {
			wrong++
		}
	}
	if share := float64(wrong) / (10 * n); math.Abs(share-rate) > rate/2 {
		t.Errorf("wrong answers: %.4f, made for %.4f", share, rate)
	}
}
