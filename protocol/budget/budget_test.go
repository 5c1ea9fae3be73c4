package budget

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

var phones = Account{Member: "AU", Kind: "phone", Period: 1}

func TestSpends(t *testing.T) {
	b := New()
	if err := b.Spend(phones, 64, 1); !errors.Is(err, ErrOverBudget) {
		t.Errorf("without a grant: %v", err)
	}
	if err := b.Grant(phones, 1000, 200); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		account Account
		items   uint64
		day     int64
		over    bool
		left    uint64 // on that day, after it
	}{
		{phones, 128, 1, false, 72},
		{phones, 80, 1, true, 72},
		{phones, 64, 1, false, 8},
		{phones, 0, 1, true, 8},
		{phones, 192, 2, false, 8},
		{phones, 192, 3, false, 8},
		{phones, 192, 4, false, 8},
		{phones, 192, 5, false, 8},
		{phones, 64, 6, true, 40},
		{phones, 40, 6, false, 0},
		{phones, 1, 7, true, 0},
		{phones, 1<<64 - 1, 7, true, 0},
		{Account{"AU", "phone", 2}, 1, 7, true, 0},
		{Account{"AU", "email", 1}, 1, 7, true, 0},
		{Account{"ID", "phone", 1}, 1, 7, true, 0},
	} {
		err := b.Spend(step.account, step.items, step.day)
		if errors.Is(err, ErrOverBudget) != step.over || (err == nil) == step.over {
			t.Errorf("step %d: %v", i, err)
		}
		if left := b.Balance(step.account).Left(step.day); left != step.left {
			t.Errorf("step %d: %d left, want %d", i, left, step.left)
		}
	}
	if err := b.Grant(phones, 100, 10); err != nil || b.Balance(phones).Left(6) != 0 || b.Balance(phones).Left(7) != 10 {
		t.Errorf("a lowered daily bound: %+v, %v", b.Balance(phones), err)
	}
	if err := b.Grant(phones, 1, 0); err != nil || b.Balance(phones).Left(6) != 101 {
		t.Errorf("a lifted daily bound: %+v, %v", b.Balance(phones), err)
	}
}

// What a member was granted ends with its membership, and nothing of others'.
func TestDrop(t *testing.T) {
	b := New()
	other := Account{Member: "ID", Kind: "phone", Period: 1}
	for _, a := range []Account{phones, {"AU", "email", 2}, other} {
		if err := b.Grant(a, 100, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.Drop("AU")
	if left := maps.Collect(b.All()); len(left) != 1 || left[other].Granted != 100 {
		t.Errorf("left: %v", left)
	}
	if err := b.Spend(phones, 1, 1); !errors.Is(err, ErrOverBudget) {
		t.Errorf("spent what was dropped: %v", err)
	}
}

func TestGrantsAreBounded(t *testing.T) {
	b := New()
	for i, step := range []struct {
		items uint64
		ok    bool
	}{{0, false}, {MaxGranted + 1, false}, {1<<64 - 1, false}, {MaxGranted - 1, true}, {2, false}, {1, true}, {1, false}} {
		if err := b.Grant(phones, step.items, 0); (err == nil) != step.ok {
			t.Errorf("grant %d of %d: %v", i, step.items, err)
		}
	}
}

// Whatever the order, no account spends more than it was granted, nor more on a day.
func TestNoOrderOverspends(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		b, granted, spent := New(), uint64(0), uint64(0)
		today, day := uint64(0), int64(0)
		for range 100 {
			switch r.IntN(4) {
			case 0:
				n := r.Uint64N(100)
				if b.Grant(phones, n, 50) == nil {
					granted += n
				}
			case 1:
				day++
				today = 0
			default:
				if n := r.Uint64N(80); b.Spend(phones, n, day) == nil {
					spent += n
					today += n
				}
			}
			got := b.Balance(phones)
			if spent > granted || today > 50 || got.Granted != granted || got.Spent != spent {
				t.Fatalf("%d of %d spent, %d today; the book says %+v", spent, granted, today, got)
			}
		}
	}
}

func TestAllIsInOrder(t *testing.T) {
	b := New()
	want := []Account{{"AU", "email", 9}, {"AU", "phone", 1}, {"AU", "phone", 2}, {"ID", "email", 1}}
	for _, i := range []int{2, 0, 3, 1} {
		if err := b.Grant(want[i], uint64(i+1), 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []Account
	for a, balance := range b.All() {
		if balance.Granted == 0 {
			t.Errorf("%+v has no grant", a)
		}
		if got = append(got, a); len(got) == 4 {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}
