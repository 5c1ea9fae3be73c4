package compare

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"

	"entente/crypto/ot"
	"entente/protocol/vectors"
)

// stream is the source of randomness of the vectors: SHAKE256 of a seed.
func stream(seed []byte) io.Reader {
	h := sha3.NewSHAKE256()
	h.Write(seed)
	return h
}

// input reads the input of vectors: the summands are numbers of two bytes.
func input(t *testing.T, in map[string]string) (p Parameters, sender, chooser io.Reader, x, y []uint16) {
	t.Helper()
	field := func(name string) []byte {
		b, err := hex.DecodeString(in[name])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p = Parameters{
		Session:   [ot.SessionSize]byte(field("session")),
		Threshold: int16(binary.BigEndian.Uint16(field("threshold"))), Learns: Learns(field("learns")[0]),
	}
	words := func(b []byte) (w []uint16) {
		for ; len(b) > 0; b = b[2:] {
			w = append(w, binary.BigEndian.Uint16(b))
		}
		return w
	}
	return p, stream(field("sender")), stream(field("chooser")), words(field("x")), words(field("y"))
}

// record runs one chunk. A message that is changed is named, and the error of whoever reads it
// is returned.
func record(t *testing.T, in map[string]string, changed string, message []byte) (map[string][]byte, error) {
	t.Helper()
	p, ours, theirs, x, y := input(t, in)
	values := map[string][]byte{}
	sent := func(name string, b []byte) []byte {
		values[name] = slices.Clone(b)
		if name == changed {
			return message
		}
		return b
	}
	session, err := p.session()
	if err != nil {
		t.Fatal(err)
	}
	values["session"] = session[:]
	s, request, err := NewSender(p, ours)
	if err != nil {
		t.Fatal(err)
	}
	h, reply, err := NewChooser(p, sent("request", request), theirs)
	if err != nil {
		return nil, err
	}
	if err := s.Start(sent("reply", reply)); err != nil {
		return nil, err
	}
	u := &under{s: s}
	if u.theirs, u.columns, err = h.Open(y); err != nil {
		t.Fatal(err)
	}
	if u.ours, u.challenge, err = s.Open(x, sent("columns", u.columns)); err != nil {
		return nil, err
	}
	names := []string{"challenge", "choices", "tables", "combining", "last", "shares"}
	for i, message := range []*[]byte{&u.challenge, &u.choices, &u.tables, &u.combining, &u.last, &u.shares} {
		*message = sent(names[i], *message)
		if err := u.steps()[i](); err != nil {
			return nil, err
		}
		if i == 1 {
			values["masks"] = slices.Clone(u.ours.shares)
		}
	}
	values["bits"] = make([]byte, len(u.sender))
	for i, bit := range u.sender {
		if bit {
			values["bits"][i] = 1
		}
		if bit != u.chooser[i] {
			t.Errorf("the sides differ about pair %d", i)
		}
	}
	for _, name := range []string{"request", "reply"} { // long, and as in the vectors of ot
		sum := sha256.Sum256(values[name])
		values[name+"-sha256"] = sum[:]
		delete(values, name)
	}
	return values, nil
}

// TestVectors recomputes all that is recorded, and runs what must be refused.
func TestVectors(t *testing.T) {
	all, err := vectors.Load("compare")
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]error{"size": ErrSize, "malformed": ErrMalformed, "proof": ot.ErrProof}
	in := all[0].Input
	values, err := record(t, in, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	missing := maps.Clone(values)
	for _, v := range all {
		want, err := v.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if !v.Valid {
			fault, ok := faults[v.Fault]
			if _, err := record(t, v.Input, v.Input["message"], want); !ok || !errors.Is(err, fault) {
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
	if len(missing) > 0 || len(all) < 15 {
		t.Errorf("%d vectors; without one: %v", len(all), slices.Collect(maps.Keys(missing)))
	}
}
