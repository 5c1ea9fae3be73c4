package standing

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"entente/protocol/round"
	"entente/protocol/tags"
	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// reencoded decodes a message and encodes it again.
func reencoded[T any](data []byte) ([]byte, error) {
	v, err := decode[T](data)
	if err != nil {
		return nil, err
	}
	return wire.Marshal(v)
}

// decoders are all of the package, each with what gives the bytes back.
func decoders() []func([]byte) ([]byte, error) {
	all := []func([]byte) ([]byte, error){
		reencoded[stateMessage], reencoded[positionMessage], reencoded[runsDoneMessage], reencoded[acknowledgedMessage],
		reencoded[Period], reencoded[RunHeader], reencoded[Applied], reencoded[End], reencoded[Offer], reencoded[Answer],
		reencoded[Account], reencoded[record], reencoded[round.Signed],
		func(b []byte) ([]byte, error) {
			a, err := decodeQuestions(b)
			return encodeQuestions(a), err
		},
		func(b []byte) ([]byte, error) {
			evaluated, proof, err := decodeAnswers(b, 7, 64)
			return encodeAnswers(7, append(bytes.Clone(evaluated), proof...)), err
		},
		func(b []byte) ([]byte, error) {
			list, err := decodeTags(b, 1, &Tag{}, 64)
			if err != nil {
				return nil, err
			}
			return encodeTags(1, list), nil
		},
		func(b []byte) ([]byte, error) {
			code, err := tags.NewCode(128)
			if err != nil {
				return nil, err
			}
			list, err := decodeBlock(code, b, 0, nil, 64)
			if err != nil {
				return nil, err
			}
			return encodeBlock(code, 0, nil, list)
		},
	}
	for kind := KindHello; kind <= KindDone; kind++ {
		all = append(all, func(b []byte) ([]byte, error) {
			m, err := Parse(kind, b)
			if err != nil {
				return nil, err
			}
			return wire.Marshal(m.Body)
		})
	}
	return all
}

// FuzzMessages: every decoder gives back what encodes to the same bytes or blames the peer,
// within a bound on memory.
func FuzzMessages(f *testing.F) {
	all := decoders()
	fd := longFeed(f, false)
	var tp tape
	fd.wrap = tp.wrap
	fd.sync().must(f)
	for _, fr := range tp.frames {
		for i := range all {
			f.Add(byte(i), fr.body)
		}
	}
	p := newPair(f)
	a, b := p.active(f)
	for i, v := range []any{a.rec.Offer, b.rec.Answer, a.confirm(), b.rec, fd.cache.state.Period, Account{Open: make([][32]byte, 3)}} {
		body, err := wire.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), body)
		f.Add(byte(11), body)
		f.Add(byte(17+i), body)
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		var again []byte
		var err error
		used := memory.Allocated(func() { again, err = all[int(which)%len(all)](data) })
		if limit := uint64(16*len(data) + 64<<10); used > limit {
			t.Errorf("%d bytes allocated for %d", used, len(data))
		}
		var blamed *wire.ProtocolError
		if err != nil && !errors.As(err, &blamed) {
			t.Errorf("other error: %v", err)
		}
		if err == nil && !bytes.Equal(again, data) {
			t.Errorf("%x encodes to %x", data, again)
		}
	})
}

// FuzzMachine lets a peer say anything at any stage: no crash, and what is signed stays.
func FuzzMachine(f *testing.F) {
	p := newPair(f)
	a, b := p.active(f)
	for _, s := range []round.Signed{a.rec.Offer, b.rec.Answer} {
		body, err := wire.Marshal(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(KindOffer), byte(Waiting), body)
	}
	f.Fuzz(func(t *testing.T, kind, stage byte, body []byte) {
		in, err := Parse(wire.Kind(kind), body)
		if err != nil {
			return
		}
		if s, ok := in.Body.(round.Signed); ok {
			if o, err := Peek(s); err == nil {
				_ = o.validate()
			}
		}
		for _, m := range []Machine{*a, *b} {
			m.rec.Stage = stage%byte(Failed) + 1
			before := m.Agreement()
			_, _ = m.Step(in, testNow)
			if m.Agreement() != before {
				t.Error("another agreement without a signature")
			}
		}
	})
}

// script is a stream of which the peer's part stands already.
type script struct {
	io.Reader
	io.Writer
}

// FuzzPeer lets a peer say anything to both sides: no panic, no hang, no sync that succeeds
// but one that is right to the end.
func FuzzPeer(f *testing.F) {
	for _, first := range []bool{true, false} {
		fd := longFeed(f, false)
		if first {
			fd.cache.state, fd.shelf.extra, fd.shelf.renew = State{}, 0, true
		}
		var tp tape
		fd.wrap = tp.wrap
		fd.sync().must(f)
		for _, asker := range []bool{true, false} {
			var said []byte
			for _, fr := range tp.frames {
				if fr.asker == asker {
					said = append(said, fr.bytes()...)
				}
			}
			f.Add(asker, first, said)
		}
	}
	f.Fuzz(func(t *testing.T, asker, first bool, said []byte) {
		fd := newFeed(t, 0)
		fd.shelf.list["a"] = true
		fd.queue.list["a"] = true
		stream := script{bytes.NewReader(said), io.Discard}
		var err error
		if asker { // what an asker said goes to a holder
			_, err = Hold(context.Background(), stream, fd.holder, fd.shelf, fd.meter, fd.proofs)
		} else {
			_, err = Ask(context.Background(), stream, fd.asker, fd.cache, fd.queue)
		}
		if err == nil {
			t.Errorf("%d bytes of another sync passed for one", len(said))
		}
	})
}
