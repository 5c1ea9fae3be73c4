package tags

import (
	"bytes"
	"errors"
	"iter"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/crypto/transcript"
)

func TestOrderIsThatOfNumbers(t *testing.T) {
	list := slices.Concat(uniform(1, 50), []Tag{lowest, highest, number(1), number(1 << 16), {9: 1}, {7: 1}, {8: 1}})
	for _, a := range list {
		for _, b := range list {
			want := new(big.Int).SetBytes(a[:]).Cmp(new(big.Int).SetBytes(b[:]))
			if got := Compare(a, b); got != want || got != bytes.Compare(a[:], b[:]) {
				t.Errorf("%x and %x: %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestSort(t *testing.T) {
	type entry struct {
		tag   Tag
		place int
	}
	skewed := uniform(7, 3000)
	for i := range skewed { // half of them in one bucket of every pass
		if i%2 == 0 {
			copy(skewed[i][:9], highest[:9])
		}
	}
	equal := make([]Tag, 2000)
	for name, list := range map[string][]Tag{
		"empty": {}, "one": {highest}, "two": {highest, lowest}, "few": uniform(1, 20), "some": uniform(2, 300),
		"many": uniform(3, 70_000), "equal": equal, "skewed": skewed, "counted": nil,
	} {
		if name == "counted" {
			for i := range 5000 {
				list = append(list, number(uint64(i)))
			}
		}
		want := slices.Clone(list)
		slices.SortFunc(want, Compare)
		mix(list)
		entries := make([]entry, len(list))
		for i, tag := range list {
			entries[i] = entry{tag, i}
		}
		original := slices.Clone(list)
		Sort(list, itself)
		if !slices.Equal(list, want) {
			t.Errorf("%s: not sorted", name)
		}
		Sort(entries, func(e *entry) *Tag { return &e.tag })
		for i, e := range entries {
			if e.tag != want[i] || original[e.place] != e.tag {
				t.Fatalf("%s: entry %d came apart", name, i)
			}
		}
	}
}

func TestAscending(t *testing.T) {
	list := uniform(1, 5)
	broken := errors.New("disk")
	for name, c := range map[string]struct {
		list []Tag
		err  error
		want int // that come
		ok   bool
	}{
		"empty":      {nil, nil, 0, true},
		"good":       {list, nil, 5, true},
		"twice":      {[]Tag{list[0], list[1], list[1]}, nil, 2, false},
		"down":       {[]Tag{list[1], list[0], list[2]}, nil, 1, false},
		"read error": {list, broken, 5, false},
	} {
		n, bad := 0, error(nil)
		for _, err := range Ascending(stream(c.list, c.err)) {
			if err != nil {
				bad = err
				continue
			}
			n++
		}
		if n != c.want || (bad == nil) != c.ok || c.err != nil && !errors.Is(bad, c.err) {
			t.Errorf("%s: %d tags, %v", name, n, bad)
		}
		if Ascends(nil, c.list) != (c.ok || c.err != nil) {
			t.Errorf("%s: Ascends says otherwise", name)
		}
	}
	if Ascends(&list[0], list) || Ascends(&list[4], list[4:]) || !Ascends(&list[3], list[4:]) || !Ascends(&list[0], nil) {
		t.Error("the tag before is not looked at")
	}
	for range Ascending(stream(list, nil)) {
		break // and nothing more is asked for
	}
}

func TestJoin(t *testing.T) {
	broken := errors.New("disk")
	a, b := uniform(1, 100), uniform(2, 100)
	both := slices.Concat(a[:50], b)
	slices.SortFunc(both, Compare)
	twice := slices.Concat(a[:3], a[:3], a[90:])
	slices.SortFunc(twice, Compare)
	collect := func(seq iter.Seq2[Tag, error]) (got []Tag, bad error) {
		for tag, err := range seq {
			if err != nil {
				return got, err
			}
			got = append(got, tag)
		}
		return got, nil
	}
	for name, c := range map[string]struct {
		own, list iter.Seq2[Tag, error]
		want      []Tag
		ok        bool
	}{
		"equal":           {stream(a, nil), stream(a, nil), a, true},
		"disjoint":        {stream(a, nil), stream(b, nil), nil, true},
		"part":            {stream(a, nil), stream(both, nil), a[:50], true},
		"part, back":      {stream(both, nil), stream(a, nil), a[:50], true},
		"no list":         {stream(a, nil), stream(nil, nil), nil, true},
		"no own":          {stream(nil, nil), stream(a, nil), nil, true},
		"own twice":       {stream(twice, nil), stream(a, nil), twice, true},
		"last only":       {stream(a[99:], nil), stream(a, nil), a[99:], true},
		"own down":        {stream([]Tag{a[1], a[0]}, nil), stream(a, nil), a[1:2], false},
		"list down":       {stream(a, nil), stream([]Tag{a[1], a[0]}, nil), a[1:2], false},
		"list twice":      {stream(a, nil), stream([]Tag{a[1], a[1]}, nil), a[1:2], false},
		"own read error":  {stream(a[:2], broken), stream(a, nil), a[:2], false},
		"list read error": {stream(a, nil), stream(a[:2], broken), a[:2], false},
	} {
		got, err := collect(Join(c.own, value, c.list))
		if !slices.Equal(got, c.want) || (err == nil) != c.ok {
			t.Errorf("%s: %d tags, want %d; %v", name, len(got), len(c.want), err)
		}
	}
	for tag := range Join(stream(a, nil), value, stream(a, nil)) {
		if tag != a[0] {
			t.Error("the first is not the first")
		}
		break
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 200 { // of few tags, so that lists meet
		draw := func() (list []Tag) {
			for i := range uint64(40) {
				if rnd.IntN(3) == 0 {
					list = append(list, number(i))
				}
			}
			return list
		}
		own, list := draw(), draw()
		var want []Tag
		for _, tag := range own {
			if slices.Contains(list, tag) {
				want = append(want, tag)
			}
		}
		if got, err := collect(Join(stream(own, nil), value, stream(list, nil))); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%d of %d and %d: %v", len(got), len(own), len(list), err)
		}
	}
}

func TestTagAndProofAreApart(t *testing.T) {
	l := Labels{"entente/test/tag/1", "entente/test/proof/1"}
	output := bytes.Repeat([]byte{5}, 64)
	tag, proof := l.Of(output)
	whole, other := transcript.Digest(l.Tag, output), transcript.Digest(l.Proof, output)
	if !bytes.Equal(tag[:], whole[:Size]) || !bytes.Equal(proof[:], other[:ProofSize]) || bytes.Equal(tag[:], proof[:Size]) {
		t.Errorf("%x, %x", tag, proof)
	}
}
