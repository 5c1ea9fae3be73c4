package machine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/he/sample"
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

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestVectors recomputes a contribution, noise included, from what would be opened to an
// auditor.
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
	if found < 9 {
		t.Errorf("only %d vectors", found)
	}
}

func compute(t *testing.T, name string, in map[string]string) []byte {
	t.Helper()
	switch name {
	case "sealing/key":
		public, err := sealingKey(unhex(t, in["private"]))
		if err != nil {
			t.Fatal(err)
		}
		return public
	case "sealing/open":
		plain, err := unseal(unhex(t, in["private"]), unhex(t, in["info"]), unhex(t, in["sealed"]))
		if err != nil {
			t.Fatal(err)
		}
		return plain
	}
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
		Contributors: []string{in["contributor"]}, EpsilonMilli: uint32(number(t, in["epsilon_milli"])), Cap: uint16(number(t, in["cap"])), NoiseOf: uint8(number(t, in["noise_of"])),
		Question: tally.Question{Kind: tally.Counters, Dimensions: []tally.Dimension{{Name: "counter"}}},
	}
	var counts []uint32
	for c := range strings.FieldsSeq(in["counts"]) {
		counts = append(counts, uint32(number(t, c)))
	}
	p.Question.Dimensions[0].Labels = labels("l", len(counts))
	sent, err := encrypt(k, p, 0, seed, counts)
	if err != nil {
		t.Fatal(err)
	}
	switch name {
	case "key":
		return digest[:]
	case "noise-stream":
		stream := sample.New(tally.NoiseStream, tally.NoiseSeed(seed, digest), 0)
		return bytes.Clone(stream.Next(32))
	case "noise":
		noise, err := drawNoise(p, seed, digest)
		if err != nil {
			t.Fatal(err)
		}
		var b []byte
		for _, x := range noise {
			b = binary.BigEndian.AppendUint64(b, uint64(x))
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
