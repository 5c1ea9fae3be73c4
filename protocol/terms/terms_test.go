package terms

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"

	"entente/crypto/dp"
)

// some are values at and around every edge of each field.
func some(r *rand.Rand) Terms {
	pick := func(vs ...uint32) uint32 { return vs[r.IntN(len(vs))] }
	return Terms{
		Proposer:      Mode(r.IntN(3)),
		Responder:     Mode(r.IntN(3)),
		MinItems:      pick(0, 1, 64, 80, MaxMinItems),
		RetentionDays: pick(MinRetentionDays, 30, 90, MaxRetentionDays),
		EpsilonMilli:  pick(0, MinEpsilonMilli, 999, 1000, MaxEpsilonMilli),
		MinCount:      pick(0, 1, 11, MaxMinCount),
	}
}

func TestMergeIsALattice(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		a, b, c := some(r), some(r), some(r)
		m := Merge(a, b)
		if m != Merge(b, a) {
			t.Fatalf("not commutative: %+v, %+v", a, b)
		}
		if Merge(m, c) != Merge(a, Merge(b, c)) {
			t.Fatalf("not associative: %+v, %+v, %+v", a, b, c)
		}
		if Merge(a, a) != a {
			t.Fatalf("not idempotent: %+v", a)
		}
		if m.Validate() != nil {
			t.Fatalf("merge of valid terms is invalid: %+v, %+v", a, b)
		}
		if !m.Within(a) || !m.Within(b) {
			t.Fatalf("merge is wider than an input: %+v, %+v", a, b)
		}
		if c.Within(a) && c.Within(b) && !c.Within(m) {
			t.Fatalf("merge is stricter than needed: %+v, %+v, %+v", a, b, c)
		}
		if a.Within(b) && b.Within(c) && !a.Within(c) {
			t.Fatalf("within is not transitive: %+v, %+v, %+v", a, b, c)
		}
		if a.Within(b) && b.Within(a) && a != b {
			t.Fatalf("within is not antisymmetric: %+v, %+v", a, b)
		}
		if Merge(a, Widest(IDs, IDs)) != a {
			t.Fatalf("the widest terms are not neutral for %+v", a)
		}
	}
}

func TestMergeTakesTheStricter(t *testing.T) {
	a := Terms{Proposer: IDs, Responder: Count, MinItems: 64, RetentionDays: 90, EpsilonMilli: 0, MinCount: 11}
	b := Terms{Proposer: Count, Responder: None, MinItems: 128, RetentionDays: 30, EpsilonMilli: 1000, MinCount: 5}
	want := Terms{Proposer: Count, Responder: None, MinItems: 128, RetentionDays: 30, EpsilonMilli: 1000, MinCount: 11}
	if got := Merge(a, b); got != want {
		t.Errorf("Merge = %+v, want %+v", got, want)
	}
}

func TestWithin(t *testing.T) {
	granted := Terms{Proposer: IDs, Responder: Count, MinItems: 64, RetentionDays: 90, EpsilonMilli: 1000, MinCount: 11}
	for name, c := range map[string]struct {
		change func(*Terms)
		want   bool
	}{
		"the same":              {func(*Terms) {}, true},
		"fewer modes":           {func(t *Terms) { t.Proposer = None }, true},
		"larger lists":          {func(t *Terms) { t.MinItems = 80 }, true},
		"shorter retention":     {func(t *Terms) { t.RetentionDays = 1 }, true},
		"more noise":            {func(t *Terms) { t.EpsilonMilli = 999 }, true},
		"higher smallest count": {func(t *Terms) { t.MinCount = 12 }, true},
		"more for responder":    {func(t *Terms) { t.Responder = IDs }, false},
		"smaller lists":         {func(t *Terms) { t.MinItems = 63 }, false},
		"longer retention":      {func(t *Terms) { t.RetentionDays = 91 }, false},
		"less noise":            {func(t *Terms) { t.EpsilonMilli = 1001 }, false},
		"no noise":              {func(t *Terms) { t.EpsilonMilli = 0 }, false},
		"lower smallest count":  {func(t *Terms) { t.MinCount = 10 }, false},
	} {
		changed := granted
		c.change(&changed)
		if got := changed.Within(granted); got != c.want {
			t.Errorf("%s: Within = %v, want %v", name, got, c.want)
		}
	}
}

func TestValidateBounds(t *testing.T) {
	base := Terms{Proposer: IDs, Responder: IDs, MinItems: 64, RetentionDays: 90, EpsilonMilli: 1000, MinCount: 11}
	for name, c := range map[string]struct {
		change func(*Terms)
		valid  bool
	}{
		"typical":            {func(*Terms) {}, true},
		"nothing open":       {func(t *Terms) { t.Proposer, t.Responder = None, None }, true},
		"no smallest list":   {func(t *Terms) { t.MinItems = 0 }, true},
		"largest list":       {func(t *Terms) { t.MinItems = MaxMinItems }, true},
		"list too large":     {func(t *Terms) { t.MinItems = MaxMinItems + 1 }, false},
		"one day":            {func(t *Terms) { t.RetentionDays = MinRetentionDays }, true},
		"ten years":          {func(t *Terms) { t.RetentionDays = MaxRetentionDays }, true},
		"no retention":       {func(t *Terms) { t.RetentionDays = 0 }, false},
		"retention too long": {func(t *Terms) { t.RetentionDays = MaxRetentionDays + 1 }, false},
		"exact":              {func(t *Terms) { t.EpsilonMilli = 0 }, true},
		"smallest epsilon":   {func(t *Terms) { t.EpsilonMilli = MinEpsilonMilli }, true},
		"epsilon too small":  {func(t *Terms) { t.EpsilonMilli = MinEpsilonMilli - 1 }, false},
		"largest epsilon":    {func(t *Terms) { t.EpsilonMilli = MaxEpsilonMilli }, true},
		"epsilon too large":  {func(t *Terms) { t.EpsilonMilli = MaxEpsilonMilli + 1 }, false},
		"largest count":      {func(t *Terms) { t.MinCount = MaxMinCount }, true},
		"count too large":    {func(t *Terms) { t.MinCount = MaxMinCount + 1 }, false},
		"unknown proposer":   {func(t *Terms) { t.Proposer = IDs + 1 }, false},
		"unknown responder":  {func(t *Terms) { t.Responder = 255 }, false},
	} {
		changed := base
		c.change(&changed)
		if err := changed.Validate(); (err == nil) != c.valid {
			t.Errorf("%s: Validate = %v, want valid %v", name, err, c.valid)
		}
	}
}

func TestNoiseBoundsAreThoseOfTheSuite(t *testing.T) {
	for _, e := range []uint32{MinEpsilonMilli, MaxEpsilonMilli} {
		if _, err := dp.NewNoise(e); err != nil {
			t.Errorf("terms admit ε = %d/1000, noise does not: %v", e, err)
		}
	}
}

func TestModeText(t *testing.T) {
	for _, m := range []Mode{None, Count, IDs} {
		got, err := ParseMode(m.String())
		if err != nil || got != m {
			t.Errorf("ParseMode(%q) = %v, %v", m.String(), got, err)
		}
		b, err := json.Marshal(map[string]Mode{"m": m})
		if err != nil || string(b) != `{"m":"`+m.String()+`"}` {
			t.Errorf("json of %v = %s, %v", m, b, err)
		}
		var back map[string]Mode
		if err := json.Unmarshal(b, &back); err != nil || back["m"] != m {
			t.Errorf("json back = %v, %v", back, err)
		}
	}
	for _, s := range []string{"", "IDS", "which", "invalid"} {
		if _, err := ParseMode(s); !errors.Is(err, ErrMode) {
			t.Errorf("ParseMode(%q) = %v, want ErrMode", s, err)
		}
		var m Mode
		if err := m.UnmarshalText([]byte(s)); !errors.Is(err, ErrMode) {
			t.Errorf("UnmarshalText(%q) = %v, want ErrMode", s, err)
		}
	}
	if _, err := Mode(3).MarshalText(); !errors.Is(err, ErrMode) {
		t.Errorf("MarshalText of an unknown mode = %v, want ErrMode", err)
	}
	if got := Mode(3).String(); got != "invalid" {
		t.Errorf("String of an unknown mode = %q", got)
	}
}

func TestOpenAndAdmits(t *testing.T) {
	if (Terms{}).Open() || !(Terms{Proposer: Count}).Open() || !(Terms{Responder: IDs}).Open() {
		t.Error("Open does not follow the modes")
	}
	need := Terms{MinItems: 80}
	if need.Admits(79) || !need.Admits(80) || !need.Admits(1<<40) {
		t.Error("Admits is wrong at its edge")
	}
}
