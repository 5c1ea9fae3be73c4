package rounds_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"testing/synctest"

	"entente/protocol/wire"
)

// framed puts a body behind a frame's kind with its length.
func framed(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(body)))
	return append(b, body...)
}

// distortions are what a hostile partner may make of any frame; nil if it does not
// apply to this one.
func distortions() map[string]func(frame []byte) []byte {
	return map[string]func([]byte) []byte{
		"trailing byte": func(f []byte) []byte { return framed(f[0], append(bytes.Clone(f[wire.HeaderSize:]), 0)) },
		"not shortest": func(f []byte) []byte {
			body := f[wire.HeaderSize:]
			if len(body) == 0 || body[0]&0xe0 != 0x80 { // not an array
				return nil
			}
			return framed(f[0], append([]byte{0x98, body[0] & 0x1f}, body[1:]...))
		},
		"length bomb": func(f []byte) []byte {
			return framed(f[0], []byte{0x82, 0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		},
		"over the cap": func(f []byte) []byte { return binary.BigEndian.AppendUint32([]byte{f[0]}, 1<<31) },
		"unknown kind": func(f []byte) []byte { return framed(200, f[wire.HeaderSize:]) },
	}
}

// TestMalformedAtEachMessage distorts each frame of a round, in either direction. Whoever
// gets it fails the round at once with a number and tells the partner, and nobody finds
// anything or is charged twice; only what comes after both signatures under the receipt
// changes nothing.
func TestMalformedAtEachMessage(t *testing.T) {
	for name, distort := range distortions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				x := newPair(t)
				for k := 1; x.distorted(name, k, distort); k += pace() {
				}
				x.halt(x.au, x.id)
				x.audited(x.au.dir)
				x.audited(x.id.dir)
			})
		})
	}
}

// distorted runs a round of which frame k is distorted, and reports whether there was
// such a frame.
func (x *pair) distorted(name string, k int, distort func([]byte) []byte) bool {
	x.t.Helper()
	x.net.arm(0)
	done, changed := false, false
	x.net.seen = func(_, _ string, frame []byte) []byte {
		if x.net.frames != k {
			return frame
		}
		done = true
		if f := distort(frame); f != nil {
			changed = true
			return f
		}
		return frame
	}
	x.round = x.propose(x.au, request("ID"))
	v := x.wait(x.au, x.round)
	synctest.Wait()
	where := fmt.Sprintf("%s in frame %d", name, k)
	switch {
	case !changed && v.State != "done":
		x.t.Errorf("%s: an undisturbed round is %s", where, v.State)
	case changed && v.State == "failed":
		if v.Reason == wire.Internal.String() || v.Reason == "" {
			x.t.Errorf("%s: the round failed for the reason %q", where, v.Reason)
		}
		other, err := x.id.Show(x.t.Context(), x.round)
		if err == nil && other.State != "failed" {
			x.t.Errorf("%s: failed here, %s there", where, other.State)
		}
		x.leftovers(x.au)
	case changed:
		if other := x.wait(x.id, x.round); v.State != "done" || other.State != "done" {
			x.t.Errorf("%s: %s here, %s there", where, v.State, other.State)
		}
		if k < 18 {
			x.t.Errorf("%s: was taken", where)
		}
	}
	x.net.seen = nil
	return done
}
