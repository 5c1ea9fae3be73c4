package checkpoint

import (
	"slices"
	"strings"
	"testing"
)

// conflicting are two checkpoints of trees that part at an entry, with these signers.
func conflicting(t *testing.T, fork, first, second uint64, a, b []int) (Committee, Evidence) {
	c, keys := seats(t, 6, 2)
	one, two := grown(t, 20, fork, 0), grown(t, 20, fork, 1)
	e := Evidence{First: signed(at(t, one, first), keys, nil, a), Second: signed(at(t, two, second), keys, b[:1], b[1:])}
	root := at(t, two, first).Root
	e.Root = root[:]
	proof, err := ProveConsistency(first, second, two)
	must(t, err)
	e.Proof = raw(proof)
	return c, e
}

func TestEvidenceConvicts(t *testing.T) {
	for name, test := range map[string]struct {
		fork, first, second uint64
		convicted           string
	}{
		"equal sizes":     {5, 9, 9, "M03"},
		"different sizes": {5, 9, 14, "M03"},
		"far apart":       {0, 1, 20, "M03"},
	} {
		// M01 was cosigner of the one and sequencer of the other; M02 and M04 signed one each.
		c, e := conflicting(t, test.fork, test.first, test.second, []int{1, 2, 3}, []int{1, 3, 4})
		b, err := e.Marshal()
		must(t, err)
		back, err := UnmarshalEvidence(b)
		must(t, err)
		got, err := back.Convicts(keysOf(c))
		if err != nil || strings.Join(got, ",") != test.convicted {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// Sequencers state an order and not that it is the only one they were shown: who lies as
// leader can show an honest one another order at another size. Nobody who keeps the rules
// sequences two trees of one size, or cosigns two that conflict.
func TestEvidenceSparesHonestSequencers(t *testing.T) {
	for name, test := range map[string]struct {
		first, second uint64
		roles         [2]Role // in which M00 signed the two
		convicted     bool
	}{
		"sequenced two of one size":            {9, 9, [2]Role{Sequencer, Sequencer}, true},
		"sequenced two of different sizes":     {9, 14, [2]Role{Sequencer, Sequencer}, false},
		"cosigned two of one size":             {9, 9, [2]Role{Cosigner, Cosigner}, true},
		"cosigned two of different sizes":      {9, 14, [2]Role{Cosigner, Cosigner}, true},
		"sequenced one, cosigned one as large": {9, 9, [2]Role{Sequencer, Cosigner}, false},
		"sequenced one, cosigned a larger one": {9, 14, [2]Role{Sequencer, Cosigner}, false},
		"cosigned one, sequenced a larger one": {9, 14, [2]Role{Cosigner, Sequencer}, false},
	} {
		// M05 cosigned both, so that the evidence is never without anybody whom it convicts.
		c, e := conflicting(t, 5, test.first, test.second, []int{5}, []int{5, 5})
		_, keys := seats(t, 6, 2)
		for i, s := range []*Signed{&e.First, &e.Second} {
			p, err := Parse(s.Text)
			must(t, err)
			s.Signatures = append(s.Signatures, Sign(p, "M00", test.roles[i], keys["M00"], noon))
		}
		want := []string{"M05"}
		if test.convicted {
			want = []string{"M00", "M05"}
		}
		if got, err := e.Convicts(keysOf(c)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	// Both roles in both: convicted, and named once.
	c, e := conflicting(t, 5, 9, 9, []int{1}, []int{1, 1})
	_, keys := seats(t, 6, 2)
	p, err := Parse(e.First.Text)
	must(t, err)
	e.First.Signatures = append(e.First.Signatures, Sign(p, "M01", Sequencer, keys["M01"], noon))
	if got, err := e.Convicts(keysOf(c)); err != nil || !slices.Equal(got, []string{"M01"}) {
		t.Errorf("in both roles: %v, %v", got, err)
	}
}

// Nobody is convicted who kept the rules.
func TestEvidenceThatIsNone(t *testing.T) {
	for name, change := range map[string]func(e *Evidence){
		"no conflict": func(e *Evidence) {
			_, keys := seats(t, 6, 2)
			m := grown(t, 20, 20, 0)
			e.First, e.Second = signed(at(t, m, 9), keys, nil, []int{1, 3}), signed(at(t, m, 14), keys, nil, []int{1, 3})
			root, proof := at(t, m, 9).Root, [][]byte(nil)
			p, err := ProveConsistency(9, 14, m)
			must(t, err)
			proof = raw(p)
			e.Root, e.Proof = root[:], proof
		},
		"root made up":       func(e *Evidence) { e.Root = make([]byte, HashSize) },
		"no proof":           func(e *Evidence) { e.Proof = nil },
		"order":              func(e *Evidence) { e.First, e.Second = e.Second, e.First },
		"nobody signed both": func(e *Evidence) { e.First.Signatures = e.First.Signatures[1:2] },
		"in different roles": func(e *Evidence) { e.First.Signatures = e.First.Signatures[:1] },
		"no signatures":      func(e *Evidence) { e.First.Signatures = nil },
		"forged":             func(e *Evidence) { e.First.Signatures[0].Ed25519 = e.Second.Signatures[0].Ed25519 },
		"forged bystander": func(e *Evidence) {
			e.First.Signatures = append([]Signature{}, e.First.Signatures...)
			e.First.Signatures[1].MLDSA44 = e.First.Signatures[0].MLDSA44
		},
		"other term": func(e *Evidence) {
			_, keys := seats(t, 6, 2)
			p, err := Parse(e.First.Text)
			must(t, err)
			p.Origin.Term = 2
			e.First = signed(p, keys, nil, []int{1, 3})
		},
		"stranger":   func(e *Evidence) { e.First.Signatures[0].Member = "M77" },
		"long proof": func(e *Evidence) { e.Proof = make([][]byte, MaxProof+1) },
		"short hash": func(e *Evidence) { e.Proof[0] = e.Proof[0][1:] },
		"short root": func(e *Evidence) { e.Root = e.Root[1:] },
	} {
		c, e := conflicting(t, 5, 9, 14, []int{1, 2, 3}, []int{1, 3, 4})
		change(&e)
		if got, err := e.Convicts(keysOf(c)); err == nil {
			t.Errorf("%s: convicts %v", name, got)
		}
	}
	_, e := conflicting(t, 5, 9, 14, upTo(6), upTo(6))
	for range 4 {
		e.First.Signatures = append(e.First.Signatures, e.First.Signatures...)
	}
	if _, err := e.Marshal(); err == nil {
		t.Error("evidence of any length was encoded")
	}
}
