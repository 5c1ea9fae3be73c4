package names

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"entente/protocol/exact"
	"entente/protocol/similar"
)

func FuzzParseHandles(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 5, 2, 0, 0, 0, 1, 0, 0, 0, 9}, uint16(2), uint16(64))
	f.Add([]byte{}, uint16(0), uint16(64))
	f.Add(bytes.Repeat([]byte{50}, 201), uint16(1), uint16(65535))
	f.Fuzz(func(t *testing.T, b []byte, labels, places uint16) {
		got, err := parseHandles(b, int(labels), int(places))
		if err != nil {
			if !errors.Is(err, errMalformed) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if len(got) != int(labels) || !bytes.Equal(appendHandles(nil, got), b) {
			t.Error("decoded handles are encoded as other bytes")
		}
		for _, handles := range got {
			if len(handles) == 0 || len(handles) > BucketCap || !slices.IsSorted(handles) || handles[len(handles)-1] >= uint32(places) {
				t.Errorf("handles %v", handles)
			}
		}
	})
}

func TestParseHandlesRefuses(t *testing.T) {
	for name, b := range map[string][]byte{
		"nothing":      {},
		"no handle":    {0},
		"cut":          {1, 0, 0, 0},
		"out of range": {1, 0, 0, 0, 64},
		"largest":      {1, 255, 255, 255, 255},
		"twice":        {2, 0, 0, 0, 1, 0, 0, 0, 1},
		"falling":      {2, 0, 0, 0, 2, 0, 0, 0, 1},
		"too many":     append([]byte{51}, make([]byte, 204)...),
		"more":         {1, 0, 0, 0, 1, 0},
	} {
		if _, err := parseHandles(b, 1, 64); !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	labels := make([][]uint32, KeysPerRecord+1)
	for i := range labels {
		labels[i] = []uint32{7}
	}
	if err := checkHandles(labels, 64); !errors.Is(err, errMalformed) {
		t.Errorf("one record under %d labels: %v", len(labels), err)
	}
	if err := checkHandles(labels[1:], 64); err != nil {
		t.Errorf("one record under %d labels: %v", len(labels)-1, err)
	}
}

// TestCandidatesAreTheUnion: of buckets that overlap each pair counts once.
func TestCandidatesAreTheUnion(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 50 {
		draw := func() (out [][]uint32) {
			for range 10 {
				var handles []uint32
				for h := range uint32(30) {
					if r.IntN(5) == 0 {
						handles = append(handles, h)
					}
				}
				out = append(out, handles)
			}
			return out
		}
		probes, templates := draw(), draw()
		want := map[similar.Pair]bool{}
		for label := range probes {
			for _, p := range probes[label] {
				for _, q := range templates[label] {
					want[similar.Pair{Probe: p, Template: q}] = true
				}
			}
		}
		got, err := candidates(probes, templates, len(want))
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d candidates of %d: %v", len(got), len(want), err)
		}
		for i, p := range got {
			if !want[p] || i > 0 && (got[i-1].Probe > p.Probe || got[i-1].Probe == p.Probe && got[i-1].Template >= p.Template) {
				t.Fatalf("candidate %d: %v", i, p)
			}
		}
		if _, err := candidates(probes, templates, len(want)-1); !errors.Is(err, ErrTooMany) {
			t.Fatalf("one more than agreed: %v", err)
		}
	}
	full := make([]uint32, BucketCap)
	labels := make([][]uint32, 1<<16)
	for i := range labels {
		labels[i] = full
	}
	if _, err := candidates(labels, labels, 1000); !errors.Is(err, ErrTooMany) { // takes no memory for 1.6e8 pairs
		t.Errorf("full buckets: %v", err)
	}
}

// TestKeysAboveTheCap: a key that 50 own records share counts, one that 51 share does not.
func TestKeysAboveTheCap(t *testing.T) {
	l := &list{}
	for i := range 101 {
		k := []byte("fifty")
		if i >= BucketCap {
			k = []byte("more")
		}
		l.keys, l.vectors = append(l.keys, [][]byte{k}), append(l.vectors, nil)
	}
	b, err := readKeys(t.Context(), l, 128)
	if err != nil || b.Len() != 1 || string(b.keys[0]) != "fifty" || len(b.records[0]) != BucketCap {
		t.Errorf("%d keys, %v", b.Len(), err)
	}
}

// TestLabelsFollowProofs: the order of labels is that of proofs, whatever the keys are.
func TestLabelsFollowProofs(t *testing.T) {
	b := &buckets{keys: [][]byte{{1}, {2}, {3}}, records: [][]int{{0}, {1, 2}, {0, 2}}}
	common := exact.Result{Positions: []int{0, 2}, Proofs: [][exact.ProofSize]byte{{9}, {4}}}
	proofs, handles, err := b.label(common, []uint32{50, 40, 30})
	if err != nil || proofs[0] != [exact.ProofSize]byte{4} || !slices.Equal(handles[0], []uint32{30, 50}) || !slices.Equal(handles[1], []uint32{50}) {
		t.Errorf("%v %v %v", proofs, handles, err)
	}
	common.Positions[1] = 3
	if _, _, err := b.label(common, []uint32{50, 40, 30}); err == nil {
		t.Error("a position that is none passes")
	}
}

// TestKeysThatDoNotFit: of a list with more keys than there is room for, records leave out their
// last ones, all as many.
func TestKeysThatDoNotFit(t *testing.T) {
	l := &list{}
	for i := range 64 {
		var keys [][]byte
		for j := range KeysPerRecord {
			keys = append(keys, []byte{byte(i), byte(j)})
		}
		l.keys, l.vectors = append(l.keys, keys), append(l.vectors, nil)
	}
	b, err := readKeys(t.Context(), l, 64)
	if err != nil || b.Len() != 64*keyShare || b.Len() > keyClass(64) {
		t.Fatalf("%d keys: %v", b.Len(), err)
	}
	for _, k := range b.keys {
		if k[1] >= keyShare {
			t.Errorf("key %d of a record stays", k[1])
		}
	}
	l.keys = l.keys[:48] // 768 keys fit
	l.vectors = l.vectors[:48]
	if b, err := readKeys(t.Context(), l, 64); err != nil || b.Len() != 48*KeysPerRecord {
		t.Errorf("%d keys: %v", b.Len(), err)
	}
}
