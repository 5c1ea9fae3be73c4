package ot

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"entente/crypto/ristretto"
	"entente/crypto/transcript"
	"entente/protocol/vectors"
)

// stream is the source of randomness of the vectors: SHAKE256 of a seed.
func stream(seed []byte) io.Reader {
	h := sha3.NewSHAKE256()
	h.Write(seed)
	return h
}

// recorded is a run whose randomness comes from two seeds: all its messages and values within.
type recorded struct {
	t       testing.TB
	session [SessionSize]byte
	seeds   [2][]byte // of sender and receiver
	values  map[string][]byte
}

func (v *recorded) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// record runs base transfers, two extensions of three transfers and one of 65, of which the
// last is recorded, since it has another key of the hash.
func record(t testing.TB, session, sender, receiver []byte) map[string][]byte {
	v := &recorded{t, [SessionSize]byte(session), [2][]byte{sender, receiver}, map[string][]byte{}}
	ours, theirs := stream(sender), stream(receiver)
	choices, err := DrawChoices(ours)
	v.must(err)
	c, err := NewBaseChooser(v.session, choices, ours)
	v.must(err)
	pairs, answer, err := AnswerBase(v.session, c.Request(), theirs)
	v.must(err)
	chosen, err := c.Finish(answer)
	v.must(err)
	v.values["base/request"], v.values["base/answer"] = c.Request(), answer
	v.base(c, pairs, chosen)

	r, trees := NewReceiver(pairs)
	s, err := NewSender(chosen, trees)
	v.must(err)
	v.values["trees"] = trees
	v.tree(pairs)
	for _, name := range []string{"extension", "extension/second"} {
		v.extend(name, s, r, ours)
	}
	receiving, columns, err := r.Extend(65)
	v.must(err)
	sending, challenge, err := s.Extend(65, columns, ours)
	v.must(err)
	got, proof, err := receiving.Prove(challenge)
	v.must(err)
	pads, err := sending.Verify(proof)
	v.must(err)
	all := takeAll(t, pads, got, 65)
	v.values["extension/third/last-blocks"] = slices.Concat(all.zero[64][:], all.one[64][:])
	return v.values
}

// base records what base transfers compute within.
func (v *recorded) base(c *BaseChooser, pairs *MaliciousPairs, chosen *MaliciousChosen) {
	w, err := ristretto.NewWorker(ristretto.Auto)
	v.must(err)
	input := hashInput(&v.session, 0, 1, element(c.request[:], 0))
	var p ristretto.Points
	v.must(w.HashToGroup(&p, [][]byte{input}, []byte(pointDomain)))
	hashed := make([]byte, ristretto.Size)
	w.Encode(hashed, &p)
	digest := transcript.Digest(transcriptLabel, v.session[:], c.request[:], v.values["base/answer"])
	v.values["base/choices"] = c.choices.bits[:]
	v.values["base/hash-input"], v.values["base/hashed"] = input, hashed
	v.values["base/transcript"] = digest[:]
	v.values["base/keys"] = slices.Concat(pairs.keys[0][0][:], pairs.keys[0][1][:], pairs.keys[127][0][:], pairs.keys[127][1][:])
	v.values["base/chosen"] = slices.Concat(chosen.keys[0][:], chosen.keys[127][:])
}

// tree records the nodes and leaves of the second tree.
func (v *recorded) tree(pairs *MaliciousPairs) {
	tr := tree{&v.session, 1}
	keys := pairs.keys[fieldBits:][:fieldBits]
	node := tr.node(2, 3, &keys[0][1])
	seeds, checks, _ := tr.grow(keys, nil)
	v.values["tree/node"] = node[:]
	v.values["tree/leaf"] = slices.Concat(seeds[5][:], checks[5][:])
}

// extend records one extension.
func (v *recorded) extend(name string, s *Sender, r *Receiver, random io.Reader) {
	const n = 3
	receiving, columns, err := r.Extend(n)
	v.must(err)
	sending, challenge, err := s.Extend(n, columns, random)
	v.must(err)
	number := receiving.number
	own := slices.Clone(receiving.choices)
	theirs, proof, err := receiving.Prove(challenge)
	v.must(err)
	ours, err := sending.Verify(proof)
	v.must(err)
	check, hash := derive(checkKeyLabel, &v.session, number, challenge), derive(hashKeyLabel, &v.session, number, challenge)
	h := newHasher(hash)
	first := h.block()
	v.values[name+"/columns"], v.values[name+"/challenge"], v.values[name+"/proof"] = columns, challenge, proof
	v.values[name+"/check-key"], v.values[name+"/hash-key"] = check[:], hash[:]
	v.values[name+"/hash-first-key"] = first[:]
	v.values[name+"/choice-column"] = own
	v.values[name+"/rows"] = slices.Concat(s.delta[:], ours.rows[0][:], theirs.rows[0][:])
	all := takeAll(v.t, ours, theirs, n)
	all.check(v.t)
	v.values[name+"/choices"] = all.choices
	for i := range n {
		v.values[name+"/blocks"] = append(v.values[name+"/blocks"], slices.Concat(all.zero[i][:], all.one[i][:])...)
	}
}

// TestVectors recomputes all that is recorded, and runs what must be refused.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("ot")
	if err != nil {
		t.Fatal(err)
	}
	in := all[0].Input
	values := record(t, unhex(t, in["session"]), unhex(t, in["sender"]), unhex(t, in["receiver"]))
	missing := maps.Clone(values)
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Valid {
			fault, ok := map[string]error{"size": ErrSize, "element": ErrElement, "trees": ErrTrees, "proof": ErrProof}[v.Fault]
			if err := read(t, v.Input, want); !ok || !errors.Is(err, fault) {
				t.Errorf("%s: %v, want %s", v.Name, err, v.Fault)
			}
			continue
		}
		if !maps.Equal(v.Input, in) {
			t.Errorf("%s has other input", v.Name)
		}
		if !bytes.Equal(values[v.Name], want) {
			t.Errorf("%s: got %x, want %x", v.Name, values[v.Name], want)
		}
		delete(missing, v.Name)
	}
	if len(missing) > 0 || len(all) < 30 {
		t.Errorf("%d vectors; without one: %v", len(all), slices.Collect(maps.Keys(missing)))
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read runs a session up to a message, which is replaced, and returns the error of its reader.
func read(t *testing.T, in map[string]string, message []byte) error {
	t.Helper()
	v := &recorded{t: t}
	session, ours := [SessionSize]byte(unhex(t, in["session"])), stream(unhex(t, in["sender"]))
	choices, err := DrawChoices(ours)
	v.must(err)
	c, err := NewBaseChooser(session, choices, ours)
	v.must(err)
	honest := map[string][]byte{"base/request": c.Request()}
	sent := func(name string) []byte {
		if in["message"] == name {
			return message
		}
		return honest[name]
	}
	pairs, answer, err := AnswerBase(session, sent("base/request"), stream(unhex(t, in["receiver"])))
	if err != nil {
		return err
	}
	honest["base/answer"] = answer
	chosen, err := c.Finish(sent("base/answer"))
	if err != nil {
		return err
	}
	r, trees := NewReceiver(pairs)
	honest["trees"] = trees
	s, err := NewSender(chosen, sent("trees"))
	if err != nil {
		return err
	}
	receiving, columns, err := r.Extend(3)
	v.must(err)
	honest["extension/columns"] = columns
	sending, challenge, err := s.Extend(3, sent("extension/columns"), ours)
	if err != nil {
		return err
	}
	honest["extension/challenge"] = challenge
	_, proof, err := receiving.Prove(sent("extension/challenge"))
	if err != nil {
		return err
	}
	honest["extension/proof"] = proof
	_, err = sending.Verify(sent("extension/proof"))
	return err
}
