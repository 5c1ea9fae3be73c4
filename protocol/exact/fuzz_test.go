package exact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"entente/protocol/tags"
	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// FuzzFrames: every decoder of a body gives back what encodes to the same bytes or blames
// the peer, within a bound on memory.
func FuzzFrames(f *testing.F) {
	var session [32]byte
	for kind := range byte(7) {
		f.Add(kind, []byte{0x82, 0, 0})
	}
	f.Add(byte(0), marshal(f, &startMessage{Role: uint8(receiver), Session: session, First: 1, Second: 1}))
	f.Add(byte(2), encodeChunk(0, make([]byte, 64*elementSize)))
	f.Add(byte(4), encodeChunk(0, make([]byte, 608)))
	p := newPlan(nameOPRF, 64, 64, true, 1)
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		var again []byte
		var err error
		used := memory.Allocated(func() {
			switch which % 6 {
			case 0:
				var m startMessage
				if m, err = decodeStart(data, receiver, session, p); err == nil {
					again = marshal(t, &m)
				}
			case 1:
				var m progressMessage
				if err = wire.Unmarshal(data, &m); err == nil {
					again = marshal(t, &m)
				} else {
					err = malformed("%w", err)
				}
			default:
				id := flowID(which%6 - 2)
				var content []byte
				if content, err = decodeChunk(p[id], 0, data); err == nil {
					again = encodeChunk(0, content)
				}
				if err == nil && id == listed {
					var block []tags.Tag
					block, err = (&tagReceiver{flow: p[listed]}).take(0, content)
					if err == nil && (len(block) != 64 || !tags.Ascends(nil, block)) {
						t.Error("tags out of order passed")
					}
				}
			}
		})
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

// script is a stream of which the peer's part stands already.
type script struct {
	io.Reader
	io.Writer
}

// FuzzPeer lets a peer say anything to both roles of both suites: no panic, no hang, no
// result but from a run that is right to the end.
func FuzzPeer(f *testing.F) {
	type runs struct {
		suite Suite
		r, s  party
	}
	var all []runs
	for i, su := range []Suite{smallOPRF(), smallCount(), smallRFC()} {
		var tp tape
		g := rig{suite: su, wrap: tp.wrap}
		g.r, g.s = agree(f, su, terms{mutual: i != 1, receives: span(0, 5), sends: span(3, 9)})
		// Fixed secrets, so that what was found once is found again.
		g.r.session.Secret, g.s.session.Secret = make([]byte, SecretSize), bytes.Repeat([]byte{1}, SecretSize)
		key, err := senderKey(su.Name(), g.s.session.Secret)
		if err != nil {
			f.Fatal(err)
		}
		g.r.session.PeerPublic = key.Public().Bytes()
		g.run(f.Context()).must(f)
		all = append(all, runs{su, g.r, g.s})
		for _, side := range []role{receiver, sender} {
			var said []byte
			for _, fr := range tp.frames {
				if fr.from == side {
					said = append(said, fr.bytes()...)
				}
			}
			f.Add(uint8(2*i+int(side)-1), said)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, said []byte) {
		run := all[which/2%3]
		stream := script{bytes.NewReader(said), io.Discard}
		var err error
		if which%2 == 0 { // what a receiver said goes to a sender
			p := run.s.fresh()
			_, err = run.suite.Send(context.Background(), stream, p.session, p.set, p.journal, nil)
		} else {
			p := run.r.fresh()
			_, err = run.suite.Receive(context.Background(), stream, p.session, p.set, p.journal, nil)
		}
		if err == nil && len(said) < 64*8 {
			t.Errorf("%d bytes made a run", len(said))
		}
	})
}
