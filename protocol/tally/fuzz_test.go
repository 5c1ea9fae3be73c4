package tally

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"testing"

	"entente/protocol/round"
	"entente/protocol/wire"
)

// messages are one of each kind.
func messages(t testing.TB) []Message {
	t.Helper()
	k := testKey(t, 1)
	digest := make([]byte, 32)
	cs := []Accepted{{Place: 0, Digest: digest}, {Place: 2, Digest: digest}}
	out := []Message{
		{KindHello, round.Hello{Version: 1, Roster: digest, Clock: testNow}}, {KindReady, Ready{Key: digest}}, {KindWanted, Wanted{Key: digest}},
		{KindReleased, Released{Release: digest}},
		{KindPublic, Chunk{1, 0, make([]byte, PolynomialSize)}}, {KindSealed, Chunk{1, 2, []byte("sealed")}},
		{KindMask, Chunk{1, 0, make([]byte, PolynomialSize)}}, {KindBody, Chunk{1, 0, make([]byte, PolynomialSize)}}, {KindShareBlock, Chunk{1, 0, make([]byte, PolynomialSize)}},
	}
	for kind, body := range map[wire.Kind]any{
		KindProposal: good(), KindAcceptance: Acceptance{Proposal: digest, Member: "AU", Basis: "law", Rules: digest, Commitment: digest, Sealing: make([]byte, SealingKeySize), Seed: digest},
		KindKeyCall: KeyCall{Proposal: digest, Dealers: cs, Contributors: cs}, KindPart: Part{Call: digest, Place: 2, Shares: [][]byte{digest, nil}},
		KindContribution: Contribution{Key: digest, Place: 2, Masks: digest, Bodies: digest},
		KindRequest:      Request{Key: digest, Included: []byte{0, 2}, Active: []byte{0, 2}, Sum: digest}, KindShare: Share{Request: digest, Digest: digest},
		KindRelease: Release{Proposal: digest, Call: digest, Key: digest, Request: digest, Cells: []uint32{0, 11}},
	} {
		s, err := Sign(k, DomainPart, body)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Message{kind, s})
	}
	return out
}

// TestFrames sends each kind over a connection, and finds it as it was.
func TestFrames(t *testing.T) {
	all := messages(t)
	if len(all) != int(KindReleased) {
		t.Fatalf("%d kinds of %d", len(all), KindReleased)
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() {
		c := wire.NewConn(a)
		for _, m := range all {
			if Write(c, m) != nil {
				return
			}
		}
	}()
	c := wire.NewConn(b)
	for _, m := range all {
		got, err := Read(c)
		if err != nil || got.Kind != m.Kind {
			t.Fatalf("kind %d: %v", m.Kind, err)
		}
		if x, ok := m.Body.(Chunk); ok {
			y := got.Body.(Chunk)
			if x.Of != y.Of || x.Part != y.Part || !bytes.Equal(x.Data, y.Data) {
				t.Errorf("kind %d came out otherwise", m.Kind)
			}
			continue
		}
		x, err := wire.Marshal(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if y, err := wire.Marshal(got.Body); err != nil || !bytes.Equal(x, y) {
			t.Errorf("kind %d came out otherwise: %v", m.Kind, err)
		}
	}
}

// TestFramesRefused: kinds that there are not, and chunks of other lengths than their kind's.
func TestFramesRefused(t *testing.T) {
	for _, kind := range []wire.Kind{0, KindReleased + 1, 255} {
		_, err := Parse(kind, []byte{0x80})
		wantCode(t, "another kind", err, wire.Malformed)
		if _, ok := Limit(kind); ok {
			t.Errorf("kind %d has a limit", kind)
		}
	}
	for kind, n := range map[wire.Kind]int{KindPublic: PolynomialSize, KindShareBlock: PolynomialSize, KindMask: PolynomialSize, KindBody: PolynomialSize} {
		for _, size := range []int{0, 1, 2, chunkHead + n - 1, chunkHead + n + 1} {
			_, err := Parse(kind, make([]byte, size))
			wantCode(t, "a chunk of another length", err, wire.Malformed)
		}
		if _, err := Parse(kind, make([]byte, chunkHead+n)); err != nil {
			t.Error(err)
		}
	}
	for size, ok := range map[int]bool{0: false, 2: false, 3: true, chunkHead + PolynomialSize + SealOverhead: true, chunkHead + PolynomialSize + SealOverhead + 1: false} {
		if _, err := Parse(KindSealed, make([]byte, size)); (err == nil) != ok {
			t.Errorf("a sealed share of %d bytes: %v", size, err)
		}
	}
	for kind := KindHello; kind <= KindReleased; kind++ {
		if n, ok := Limit(kind); !ok || n > wire.MaxChunk {
			t.Errorf("kind %d: %d, %v", kind, n, ok)
		}
	}
	largest := Release{Proposal: make([]byte, 32), Call: make([]byte, 32), Key: make([]byte, 32), Request: make([]byte, 32), Included: make([]byte, MaxMembers), Cells: make([]uint32, MaxCells)}
	for i := range largest.Cells {
		largest.Cells[i] = MaxMembers * MaxCount
	}
	s, err := Sign(testKey(t, 1), DomainRelease, largest)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := wire.Marshal(s); err != nil || len(b) > wire.MaxChunk {
		t.Errorf("the largest release has %d bytes: %v", len(b), err)
	}
	everybody := make([]Accepted, MaxMembers)
	for i := range everybody {
		everybody[i] = Accepted{Place: uint8(i), Digest: make([]byte, digestSize)}
	}
	long := string(bytes.Repeat([]byte("x"), 64))
	for kind, body := range map[wire.Kind]any{
		KindKeyCall: KeyCall{Proposal: make([]byte, 32), Dealers: everybody, Contributors: everybody},
		KindAcceptance: Acceptance{
			Proposal: make([]byte, 32), Member: long, Basis: long, Rules: make([]byte, 32),
			Commitment: make([]byte, 32), Sealing: make([]byte, SealingKeySize), Seed: make([]byte, 32),
		},
	} {
		if s, err = Sign(testKey(t, 1), DomainKeyCall, body); err != nil {
			t.Fatal(err)
		}
		if b, err := wire.Marshal(s); err != nil || len(b) > maxSigned {
			t.Errorf("the largest message of kind %d has %d bytes: %v", kind, len(b), err)
		}
	}
	p := good()
	p.Question = Question{Kind: Corridors, Dimensions: []Dimension{{Name: "origin"}}}
	for i := range MaxLabels {
		p.Question.Dimensions[0].Labels = append(p.Question.Dimensions[0].Labels, string(bytes.Repeat([]byte("x"), 60))+fmt.Sprint(i))
	}
	if s, err = Sign(testKey(t, 1), DomainProposal, p); err != nil {
		t.Fatal(err)
	}
	if b, err := wire.Marshal(s); err != nil || len(b) > maxOffer {
		t.Errorf("the largest question has %d bytes: %v", len(b), err)
	}
}

// FuzzParse: no frame makes anything panic, and what is accepted encodes to the same bytes.
func FuzzParse(f *testing.F) {
	for _, m := range messages(f) {
		b, err := encode(m)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) < 1<<10 || m.Kind == KindProposal {
			f.Add(uint8(m.Kind), b)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		m, err := Parse(wire.Kind(kind), body)
		if err != nil {
			var broke *wire.ProtocolError
			if !errors.As(err, &broke) {
				t.Fatal(err)
			}
			return
		}
		if again, err := encode(m); err != nil || !bytes.Equal(again, body) {
			t.Fatalf("accepted %x, which encodes to %x", body, again)
		}
	})
}

func encode(m Message) ([]byte, error) {
	if c, ok := m.Body.(Chunk); ok {
		return c.bytes(), nil
	}
	return wire.Marshal(m.Body)
}

// FuzzBodies decodes what is signed, and checks it against an honest tally.
func FuzzBodies(f *testing.F) {
	for _, m := range messages(f) {
		if s, ok := m.Body.(Signed); ok {
			f.Add(uint8(m.Kind), s.Body)
		}
	}
	p := good()
	var digest [32]byte
	cs := []Accepted{{Place: 0, Digest: digest[:]}, {Place: 1, Digest: digest[:]}, {Place: 3, Digest: digest[:]}}
	call := KeyCall{Proposal: digest[:], Dealers: cs, Contributors: cs}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		switch wire.Kind(kind) {
		case KindProposal:
			try(t, body, func(v Proposal) error { return v.Check(digest, testNow) })
		case KindAcceptance:
			try(t, body, func(v Acceptance) error { return v.Check(p, digest, "AU") })
		case KindKeyCall:
			try(t, body, func(v KeyCall) error { return v.Check(p, digest) })
		case KindPart:
			try(t, body, func(v Part) error { return v.Check(call, digest) })
		case KindContribution:
			try(t, body, func(v Contribution) error { return v.Check(digest, 2) })
		case KindRequest:
			try(t, body, func(v Request) error { return v.Check(p, digest, call) })
		case KindRelease:
			try(t, body, func(v Release) error { return v.Check(p, digest) })
		case KindShare:
			try(t, body, func(Share) error { return nil })
		default:
			try(t, body, func(Opening) error { return nil })
		}
	})
}

// try decodes and checks a body: no panic, and one encoding.
func try[T any](t *testing.T, body []byte, check func(T) error) {
	t.Helper()
	var v T
	if Decode(body, &v) != nil {
		return
	}
	if again, err := wire.Marshal(v); err != nil || !bytes.Equal(again, body) {
		t.Fatalf("accepted %x, which encodes to %x", body, again)
	}
	var broke *wire.ProtocolError
	if err := check(v); err != nil && !errors.As(err, &broke) {
		t.Fatal(err)
	}
}
