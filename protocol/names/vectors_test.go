package names

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/similar"
	"entente/protocol/vectors"
)

// TestVectors recomputes every vector from its input, for the session that SPEC.md names.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("names")
	if err != nil {
		t.Fatal(err)
	}
	s := Session{
		Agreement: [32]byte{1}, Run: 2, Kind: "person key", Version: 2, Model: "person", Dimension: 1024, Threshold: 3000,
		Probes: 20480, Templates: 131072, Candidates: 655360, Learns: similar.BothLearn,
		AskerCommitment: similar.Secret{2}.Commit(), AnswererCommitment: similar.Secret{3}.Commit(),
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Valid {
			if _, err := parseHandles(want, 1, s.Templates); !errors.Is(err, errMalformed) || v.Fault != "malformed" {
				t.Errorf("%s: %v", v.Name, err)
			}
			continue
		}
		var labels [][]uint32
		for label := range strings.SplitSeq(v.Input["labels"], ",") {
			var handles []uint32
			for h := range strings.FieldsSeq(label) {
				n, err := strconv.ParseUint(h, 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				handles = append(handles, uint32(n))
			}
			labels = append(labels, handles)
		}
		digest := s.digest()
		got := digest[:]
		switch v.Name {
		case "handles/two":
			got = appendHandles(nil, labels)
			if _, err := parseHandles(got, len(labels), s.Templates); err != nil {
				t.Error(err)
			}
		case "handles/digest":
			x := &exchange{session: &s, proofs: [32]byte{4}}
			digest := x.digest(labels)
			got = digest[:]
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", v.Name, got, want)
		}
	}
}
