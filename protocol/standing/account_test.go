package standing

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"

	"entente/protocol/wire"
)

const dayMs = 24 * hour

func chunk(number uint32, class int, urgent bool) Chunk {
	return Chunk{Index: 1, Number: number, Class: class, Urgent: urgent, Digest: [32]byte{byte(number), byte(class)}}
}

// TestAccount goes through every answer that an account can give.
func TestAccount(t *testing.T) {
	l := Limits{Queries: 256, Checks: 2}
	now := testNow
	var a Account
	if err := a.Begin(1); err != nil {
		t.Fatal(err)
	}
	take := func(c Chunk, want wire.Code) bool {
		t.Helper()
		before := a
		again, err := a.Take(l, c, now)
		if want != 0 {
			wantFault(t, err, want)
			before.Refused = a.Refused
			if before.Next != a.Next || before.Used != a.Used || before.Checks != a.Checks || len(before.Open) != len(a.Open) {
				t.Errorf("a refusal changed %+v to %+v", before, a)
			}
		} else if err != nil {
			t.Errorf("chunk %d: %v", c.Number, err)
		}
		return again
	}
	take(chunk(1, 64, false), wire.Malformed) // a gap
	if take(chunk(0, 64, false), 0) {
		t.Error("the first is a repetition")
	}
	if !take(chunk(0, 64, false), 0) || a.Used != 64 {
		t.Error("a repetition is charged")
	}
	other := chunk(0, 64, false)
	other.Digest[9]++
	take(other, wire.Replayed)
	take(chunk(1, 128, false), 0)
	take(chunk(2, 80, false), wire.Quota)
	take(chunk(2, 64, false), 0)
	take(chunk(3, 64, false), wire.Quota)
	if a.Used != 256 || a.Refused != 2 {
		t.Errorf("%+v", a)
	}
	take(chunk(3, 64, true), 0)
	take(chunk(4, 64, true), 0)
	take(chunk(5, 64, true), wire.Quota)
	if p := a.Position(now); p != (Position{Next: 5, Used: 256, Checks: 2}) {
		t.Errorf("position %+v", p)
	}
	if p := a.Position(now + dayMs); p.Checks != 0 {
		t.Errorf("position of the next day %+v", p)
	}
	wantFault(t, a.Acknowledge(1, 6), wire.Malformed)
	for _, next := range []uint32{3, 1, 3} { // going back changes nothing
		if err := a.Acknowledge(1, next); err != nil || a.Acknowledged != 3 || len(a.Open) != 2 {
			t.Errorf("acknowledged %d: %v, %+v", next, err, a)
		}
	}
	take(chunk(2, 64, false), wire.UnknownRound)
	if !take(chunk(3, 64, true), 0) || !take(chunk(4, 64, true), 0) {
		t.Error("what is not acknowledged is not known")
	}
	// A new period has new places, but no new checks of the same day; the clock put back
	// brings none either.
	if err := a.Begin(2); err != nil {
		t.Fatal(err)
	}
	c := chunk(0, 64, true)
	c.Index = 2
	take(c, wire.Quota)
	now -= dayMs
	take(c, wire.Quota)
	now += 2 * dayMs
	take(c, 0)
	if a.Used != 0 || a.Refused != 5 {
		t.Errorf("%+v", a)
	}
	for _, err := range []error{a.Begin(1), a.Acknowledge(1, 0)} {
		if !errors.Is(err, ErrOver) {
			t.Errorf("an old period: %v", err)
		}
	}
	if _, err := a.Take(l, chunk(1, 64, false), now); !errors.Is(err, ErrOver) {
		t.Errorf("a chunk of an old period: %v", err)
	}
}

// TestAccountWindow: no more is under way than the window, so what a holder stores for one
// asker is bounded.
func TestAccountWindow(t *testing.T) {
	a, l := Account{Index: 1}, Limits{Queries: MaxTags}
	for n := range uint32(Window) {
		if _, err := a.Take(l, chunk(n, 64, false), testNow); err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Take(l, chunk(Window, 64, false), testNow)
	wantFault(t, err, wire.Malformed)
	if err := a.Acknowledge(1, 1); err != nil {
		t.Fatal(err)
	}
	if _, err = a.Take(l, chunk(Window, 64, false), testNow); err != nil {
		t.Error(err)
	}
	a.Next, a.Acknowledged, a.Open = MaxChunks, MaxChunks, nil
	_, err = a.Take(l, chunk(MaxChunks, 64, false), testNow)
	wantFault(t, err, wire.TooLarge)
}

// TestAccountNeverGivesMore: whatever an asker sends in whatever order, with crashes that
// lose nothing that was stored, distinct evaluations stay within the quota.
func TestAccountNeverGivesMore(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 2))
		l := Limits{Queries: uint32(wire.SizeClass(random.IntN(2000))), Checks: uint32(random.IntN(4))}
		var stored []byte
		type evaluation struct {
			number uint32
			digest [32]byte
		}
		places := map[evaluation]Chunk{}
		for range 400 {
			a := Account{Index: 1}
			if stored != nil {
				if err := wire.Unmarshal(stored, &a); err != nil {
					t.Fatal(err)
				}
			}
			if random.IntN(3) == 0 {
				_ = a.Acknowledge(1, uint32(random.IntN(int(a.Next)+2)))
			} else {
				c := Chunk{Index: 1, Number: uint32(random.IntN(int(a.Next) + 2)), Class: wire.SizeClass(random.IntN(400)), Digest: [32]byte{byte(random.IntN(2))}}
				if c.Urgent = random.IntN(4) == 0; c.Urgent {
					c.Class, c.Digest[1] = MinPlaces, 1
				}
				binary.BigEndian.PutUint32(c.Digest[2:], uint32(c.Class)) // digests cover all of a chunk
				if _, err := a.Take(l, c, testNow); err == nil {
					places[evaluation{c.Number, c.Digest}] = c
				}
			}
			var err error
			if stored, err = wire.Marshal(a); err != nil {
				t.Fatal(err)
			}
		}
		var used, checks uint32
		for _, c := range places {
			if c.Urgent {
				checks++
			} else {
				used += uint32(c.Class)
			}
		}
		if used > l.Queries || checks > l.Checks {
			t.Errorf("seed %d: %d places of %d, %d checks of %d", seed, used, l.Queries, checks, l.Checks)
		}
	}
}

// TestPlanRun: lists are of classes, everything gets out in the end, dummies never run low,
// and without much to tell all runs look alike.
func TestPlanRun(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		adds, removes := random.IntN(1<<random.IntN(19)), random.IntN(1<<random.IntN(19))
		dummies := MinDummies + random.IntN(1<<random.IntN(12))
		for runs := 0; adds > 0 || removes > 0; runs++ {
			p := PlanRun(adds, removes, dummies)
			added, removed := p.Adds+p.AddDummies, p.Removes+p.RemoveDummies
			switch {
			case p.Adds < 0, p.Removes < 0, p.AddDummies < 0, p.RemoveDummies < 0, p.Adds > adds, p.Removes > removes:
				t.Fatalf("%+v of %d and %d", p, adds, removes)
			case !wire.IsSizeClass(added), !wire.IsSizeClass(removed), added > MaxRun, removed > MaxRun:
				t.Fatalf("%+v: %d and %d", p, added, removed)
			case p.RemoveDummies > dummies:
				t.Fatalf("%+v with %d dummies", p, dummies)
			case p.Adds+p.Removes == 0, runs > 40:
				t.Fatalf("no progress: %+v of %d and %d", p, adds, removes)
			}
			if dummies += p.AddDummies - p.RemoveDummies; dummies < MinDummies {
				t.Fatalf("%+v leaves %d dummies", p, dummies)
			}
			adds, removes = adds-p.Adds, removes-p.Removes
		}
	}
	idle := PlanRun(0, 0, 300)
	for adds := range 65 {
		for removes := range 65 {
			p := PlanRun(adds, removes, 300)
			if p.Adds+p.AddDummies != idle.AddDummies || p.Removes+p.RemoveDummies != idle.RemoveDummies {
				t.Errorf("%d and %d: %+v", adds, removes, p)
			}
		}
	}
}

// TestPlanQuestions: together the class of the number of items, each chunk a class.
func TestPlanQuestions(t *testing.T) {
	for _, items := range []int{0, 1, 64, 65, 1000, 1024, 1025, 1281, 5000, 10_000, 1_000_000, MaxTags} {
		total := 0
		for _, class := range PlanQuestions(items) {
			if !wire.IsSizeClass(class) || class > MaxPlaces {
				t.Errorf("%d items: a chunk of %d", items, class)
			}
			total += class
		}
		if total != wire.SizeClass(items) {
			t.Errorf("%d items: %d places", items, total)
		}
	}
}

func TestNextIndex(t *testing.T) {
	for _, x := range []struct {
		passed int64
		last   uint32
		want   uint32
	}{{0, 0, 1}, {-5, 0, 1}, {59_999, 1, 2}, {120_000, 0, 3}, {120_000, 7, 8}, {MaxLife, 0, 527_041}, {1 << 50, 0, MaxIndex - 1}} {
		if got := NextIndex(testNow, testNow+x.passed, x.last); got != x.want {
			t.Errorf("%d ms after, last %d: %d", x.passed, x.last, got)
		}
	}
}

func TestEvaluations(t *testing.T) {
	if got := Evaluations(1024, 10, 7*24*3600); got != 1024+64*10*8 {
		t.Error(got)
	}
}
