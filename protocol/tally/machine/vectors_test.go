package machine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/tally"
	"entente/protocol/vectors"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestVectors recomputes a contribution, noise included, from what would be opened to an
// auditor. The noise of the vectors is one byte of the stream a cell, modulo 3, less 1.
func TestVectors(t *testing.T) {
	vs, err := vectors.Load("tally")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, v := range vs {
		name, ok := strings.CutPrefix(v.Name, "machine/")
		if !ok {
			continue
		}
		found++
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if got := compute(t, name, v.Input); !bytes.Equal(got, want) {
			t.Errorf("%s: computed %x, want %x", v.Name, got, want)
		}
	}
	if found < 5 {
		t.Errorf("only %d vectors", found)
	}
}

func compute(t *testing.T, name string, in map[string]string) []byte {
	t.Helper()
	proposal := [32]byte(unhex(t, in["proposal"]))
	reference := arithmetic(t).NewReference(tally.Reference(proposal))
	sum := reference.NewKeySum()
	for s := range strings.SplitSeq(in["dealers"], ",") {
		if err := sum.Add(reference.Public([32]byte(unhex(t, s)))); err != nil {
			t.Fatal(err)
		}
	}
	k := sum.Key()
	digest := k.Digest()
	seed := unhex(t, in["seed"])
	p := tally.Proposal{
		Contributors: []string{in["contributor"]}, EpsilonMilli: 1000,
		Question: tally.Question{Kind: tally.Counters, Dimensions: []tally.Dimension{{Name: "counter"}}},
	}
	var counts []uint32
	for c := range strings.FieldsSeq(in["counts"]) {
		n, err := strconv.ParseUint(c, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, uint32(n))
	}
	p.Question.Dimensions[0].Labels = labels("l", len(counts))
	sent, err := encrypt(k, p, 0, seed, counts, coin)
	if err != nil {
		t.Fatal(err)
	}
	switch name {
	case "key":
		return digest[:]
	case "noise-stream":
		source, err := noiseSource(seed, digest)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 32)
		if _, err := io.ReadFull(source, b); err != nil {
			t.Fatal(err)
		}
		return b
	case "mask/sha-256":
		d := sha256.Sum256(sent.Masks[0])
		return d[:]
	case "body/sha-256":
		d := sha256.Sum256(sent.Bodies[0])
		return d[:]
	case "masks":
		return sent.masks[:]
	case "bodies":
		return sent.bodies[:]
	}
	t.Fatalf("vector %q belongs to nothing", name)
	return nil
}
