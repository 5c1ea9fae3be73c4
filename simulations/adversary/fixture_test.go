package adversary

import "testing"

// small is a scenario that takes well under a second.
func small(seed uint64) Settings {
	return Settings{Guesses: 3000, Held: 100, Quota: 1280, Seed: seed}
}

func sweep(t *testing.T, s Settings) Report {
	t.Helper()
	r, err := Sweep(t.Context(), s, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rig is a plan and B for tests of the parts.
func rig(t *testing.T, s Settings) (*plan, *holder) {
	t.Helper()
	p := newPlan(s)
	b, err := newHolder(t.Context(), p, func(string, int, int) {})
	if err != nil {
		t.Fatal(err)
	}
	return p, b
}

func newTestDuel(t *testing.T, s Settings) *duel {
	t.Helper()
	p, b := rig(t, s)
	d, err := newDuel(p, b)
	if err != nil {
		t.Fatal(err)
	}
	d.a.told = func(int) {}
	return d
}

// plainIntersection is what A may learn for so many places, worked out from the lists alone.
func plainIntersection(s Settings, places int) int {
	p := newPlan(s)
	list := map[int]bool{}
	for _, n := range p.list {
		list[n] = true
	}
	hits := 0
	for _, n := range p.order[:min(places, len(p.order))] {
		if list[n] {
			hits++
		}
	}
	return hits
}
