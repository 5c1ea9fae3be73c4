package similar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	published "entente/protocol/vectors"
)

// TestVectors recomputes every vector from its input, for the session that SPEC.md names.
func TestVectors(t *testing.T) {
	all, err := published.Load("similar")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		s := Session{Agreement: [32]byte{1}, Run: 2, Model: "person", Dimension: 1024, Threshold: 3000, Probes: 64, Templates: 80, Split: 64, Learns: BothLearn}
		s.AskerCommitment, s.AnswererCommitment = Secret{2}.Commit(), Secret{3}.Commit()
		for pair := range strings.SplitSeq(v.Input["candidates"], ",") {
			var p Pair
			if pair == "" {
				continue
			}
			if _, err := fmt.Sscan(pair, &p.Probe, &p.Template); err != nil {
				t.Fatal(err)
			}
			s.Candidates, s.Split = append(s.Candidates, p), 0
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		id, plan := s.digest(), s.divide()
		got := id[:]
		switch v.Name {
		case "candidates/order":
			got = nil
			for _, place := range s.breadthFirst() {
				got = binary.BigEndian.AppendUint32(got, place)
			}
		case "candidates/replies":
			got = nil
			for i, slots := range plan.listing.slots(0) {
				got = binary.BigEndian.AppendUint32(got, uint32(plan.templates(0)[i]))
				for _, slot := range slots {
					got = append(got, byte(slot))
				}
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", v.Name, got, want)
		}
	}
}
