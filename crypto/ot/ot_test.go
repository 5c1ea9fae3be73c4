package ot

import "testing"

func TestTransfers(t *testing.T) {
	for depth := 1; depth <= 7; depth++ {
		s, r := sides(t, depth, 3)
		for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 1000} {
			ours, theirs := extend(t, s, r, n)
			zero, one, got := make([]Block, n), make([]Block, n), make([]Block, n)
			choices := make([]byte, n)
			if err := ours.Take(zero, one); err != nil {
				t.Fatal(err)
			}
			if err := theirs.Take(got, choices); err != nil {
				t.Fatal(err)
			}
			ones := 0
			for i := range got {
				want, other := zero[i], one[i]
				if choices[i] == 1 {
					want, other = other, want
					ones++
				}
				if got[i] != want || got[i] == other {
					t.Fatalf("depth %d n %d: transfer %d", depth, n, i)
				}
			}
			if n == 1000 && (ones < 400 || ones > 600) {
				t.Error(ones)
			}
		}
	}
}
