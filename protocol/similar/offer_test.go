package similar

import (
	"errors"
	"testing"

	"entente/protocol/wire"
)

func FuzzParseTerms(f *testing.F) {
	f.Add(Terms{Commitment: [32]byte{1}, Model: NameModel("m"), Dimension: 512, Threshold: 6000}.Marshal())
	f.Add(make([]byte, TermsSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		terms, err := ParseTerms(b)
		if err != nil {
			if !errors.Is(err, ErrTerms) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if string(terms.Marshal()) != string(b) {
			t.Error("decoded terms are encoded as other bytes")
		}
	})
}

func TestTermsBounds(t *testing.T) {
	good := Terms{Dimension: MaxDimension, Threshold: MaxThreshold}
	for name, c := range map[string]struct {
		change func(*Terms)
		ok     bool
	}{
		"largest":           {func(*Terms) {}, true},
		"least":             {func(x *Terms) { x.Dimension, x.Threshold = 1, 1 }, true},
		"no dimension":      {func(x *Terms) { x.Dimension = 0 }, false},
		"too many":          {func(x *Terms) { x.Dimension++ }, false},
		"no threshold":      {func(x *Terms) { x.Threshold = 0 }, false},
		"threshold too far": {func(x *Terms) { x.Threshold++ }, false},
	} {
		terms := good
		c.change(&terms)
		if got, err := ParseTerms(terms.Marshal()); (err == nil) != c.ok || c.ok && got != terms {
			t.Errorf("%s: %v", name, err)
		}
	}
	if NameModel("a") == NameModel("b") {
		t.Error("two models have one name")
	}
}

// What follows from size classes is a session that both sides accept, with no more bytes than
// any other split.
func TestFit(t *testing.T) {
	for _, probes := range []int{1, 64, 80, 4096, 5120} {
		for _, templates := range []int{64, 112, 10240} {
			for _, dimension := range []int{8, 512, 1000, 1024} {
				s := Session{Model: "m", Dimension: dimension, Threshold: 1, Learns: AskerLearns}
				s.Fit(probes, wire.SizeClass(templates))
				if err := s.Check(); err != nil {
					t.Fatalf("%d probes, %d templates, dimension %d: %v", probes, templates, dimension, err)
				}
				if s.Probes < probes {
					t.Errorf("%d places for %d probes", s.Probes, probes)
				}
				for split := 1; split <= 4096; split *= 2 {
					other := s
					if other.Split = split; other.Check() == nil && other.encrypted() < s.encrypted() {
						t.Errorf("%d probes, %d templates, dimension %d: split by %d, but %d has fewer bytes", probes, templates, dimension, s.Split, split)
					}
				}
			}
		}
	}
}
