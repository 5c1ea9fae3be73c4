package he

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"entente/crypto/he/sample"
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

func signed(b []byte) []int8 {
	out := make([]int8, len(b))
	for i, x := range b {
		out[i] = int8(x)
	}
	return out
}

func unsigned(v []int8) []byte {
	out := make([]byte, len(v))
	for i, x := range v {
		out[i] = byte(x)
	}
	return out
}

func digest(b []byte) []byte {
	d := sha256.Sum256(b)
	return d[:]
}

func shares(s []uint16) (b []byte) {
	for _, x := range s {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	return b
}

// TestVectors recomputes every vector from its input.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("he")
	if err != nil {
		t.Fatal(err)
	}
	p := parameters(t)
	values := map[string]map[string][]byte{} // by the input
	valid := 0
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Valid {
			limb, err := strconv.Atoi(v.Input["limb"])
			if err != nil {
				t.Fatal(err)
			}
			out := make([]uint64, len(want)*8/modulusBits(limb))
			if err := unpack(want, limb, out); err == nil || v.Fault != "malformed" {
				t.Errorf("%s passes", v.Name)
			}
			continue
		}
		valid++
		key := v.Input["dimension"] + "/" + v.Input["slots"] + "/" + v.Input["split"] + "/" + v.Input["chosen"]
		if values[key] == nil {
			values[key] = compute(t, p, v.Input)
		}
		name := v.Name[strings.Index(v.Name, "/")+1:]
		if got, ok := values[key][name]; !ok || !bytes.Equal(got, want) {
			t.Errorf("%s: got %x, want %x", v.Name, got, want)
		}
	}
	if valid < 16 || valid == len(all) {
		t.Errorf("%d valid vectors of %d", valid, len(all))
	}
}

// compute runs a query with one reply, and returns all that vectors name.
func compute(t *testing.T, p *Parameters, in map[string]string) map[string][]byte {
	t.Helper()
	number := func(name string) int {
		n, err := strconv.Atoi(in[name])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	l := Layout{Dimension: number("dimension"), Slots: number("slots"), Split: number("split")}
	seeds, err := NewSeeds([SeedSize]byte(unhex(t, in["public"])), [SeedSize]byte(unhex(t, in["secret"])))
	if err != nil {
		t.Fatal(err)
	}
	list := func(name string) (out [][]int8) {
		for s := range strings.SplitSeq(in[name], ",") {
			out = append(out, signed(unhex(t, s)))
		}
		return out
	}
	q, err := p.NewQuery(l, seeds, list("probes"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	small := make([]int8, Degree)
	sample.New(secretLabel, seeds.secret, 0).Ternary(small)
	out["secret-key"] = unsigned(small[:32])
	sample.New(errorLabel, seeds.secret, 1).Binomial(small)
	out["error-1"] = unsigned(small[:32])
	a := p.ring.NewPoly()
	expand(seeds.Public, 1, a)
	for limb := range limbs {
		for _, x := range a.Coeffs[limb][:2] {
			out["uniform-1"] = binary.BigEndian.AppendUint32(out["uniform-1"], uint32(x))
		}
	}
	c, err := q.Ciphertext(1)
	if err != nil {
		t.Fatal(err)
	}
	out["ciphertext-1/first"] = c[:32]
	out["ciphertext-1/sha-256"] = digest(c)
	out["public-key/sha-256"] = digest(q.PublicKey())
	reply, mine := vectorReply(t, p, l, q, list("templates"), in)
	out["reply/first"] = reply.Ciphertext[:32]
	out["reply/sha-256"] = digest(reply.Ciphertext)
	out["reply/answerer-shares"] = shares(reply.Shares[:min(4, len(mine))])
	out["reply/asker-shares"] = shares(mine[:min(4, len(mine))])
	return out
}

// vectorReply is the first reply for templates, or the one for the slots that a vector names, and
// what the asker reads in it.
func vectorReply(t *testing.T, p *Parameters, l Layout, q *Query, templates [][]int8, in map[string]string) (Reply, []uint16) {
	t.Helper()
	var chosen []int
	for s := range strings.FieldsSeq(in["chosen"]) {
		slot, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		chosen = append(chosen, slot)
	}
	o, random := q.Opener(), bytes.NewReader(unhex(t, in["reply"]))
	if chosen == nil {
		g, err := p.Gallery(l, templates)
		if err != nil {
			t.Fatal(err)
		}
		replies, err := asked(t, p, l, q).Replies(t.Context(), g, random)
		if err != nil {
			t.Fatal(err)
		}
		mine, err := o.Open(replies[0].Ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		return replies[0], mine
	}
	g, err := p.SparseGallery(l, templates, [][]int{chosen}, l.Dimension)
	if err != nil {
		t.Fatal(err)
	}
	replies, err := sparselyAsked(t, p, l, q).Replies(t.Context(), g, random)
	if err != nil {
		t.Fatal(err)
	}
	mine, err := o.OpenSome(replies[0].Ciphertext, chosen)
	if err != nil {
		t.Fatal(err)
	}
	return replies[0], mine
}

// TestAgainstSchoolbook computes a ciphertext without transforms or packed sums: −a·s + e +
// Δ·m, coefficient by coefficient.
func TestAgainstSchoolbook(t *testing.T) {
	p := parameters(t)
	l := Layout{Dimension: 4, Slots: 2, Split: 2}
	probes := [][]int8{{1, -2, 3, -4}, {5, 6, -7, 127}}
	q := query(t, p, l, probes, 8)
	b, err := q.Ciphertext(1)
	if err != nil {
		t.Fatal(err)
	}
	got := make([][]uint64, limbs)
	for i := range got {
		got[i] = make([]uint64, Degree)
	}
	if err := unpackPoly(b, got); err != nil {
		t.Fatal(err)
	}
	a := p.ring.NewPoly()
	expand(q.seeds.Public, 1, a)
	s, e := make([]int8, Degree), make([]int8, Degree)
	sample.New(secretLabel, q.seeds.secret, 0).Ternary(s)
	sample.New(errorLabel, q.seeds.secret, 1).Binomial(e)
	message := map[int]int64{0: 3, 1: -7, Degree / 2: -4, Degree/2 + 1: 127}
	for limb := range limbs {
		m := int64(modulus(limb))
		for n := range Degree {
			sum := int64(e[n]) + message[n]*int64(p.limb[limb].delta)%m
			var product int64
			for k, v := range s {
				if n >= k {
					product += int64(v) * int64(a.Coeffs[limb][n-k])
				} else {
					product -= int64(v) * int64(a.Coeffs[limb][Degree+n-k])
				}
			}
			if want := uint64((((sum - product) % m) + m) % m); got[limb][n] != want {
				t.Fatalf("limb %d, coefficient %d: %d, not %d", limb, n, got[limb][n], want)
			}
		}
	}
}
