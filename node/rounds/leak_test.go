package rounds_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"entente/node"
	"entente/protocol/indicator"
)

// record is everything that went over the streams of a round, by direction.
type record struct {
	all    map[string][]byte
	frames map[string][]string // kind and size of each frame
}

// listen records from now on. A run's progress frames (kind 2 while it runs) tell how far
// the machines have come and depend on their speed alone: they are left out of frames.
func (n *network) listen() *record {
	r := &record{all: map[string][]byte{}, frames: map[string][]string{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = func(from, to string, frame []byte) []byte {
		r.all[from] = append(r.all[from], frame...)
		if frame[0] != 2 || len(frame) > 16 {
			r.frames[from] = append(r.frames[from], fmt.Sprintf("%d:%d", frame[0], len(frame)))
		}
		return frame
	}
	return r
}

// needles are the forms in which a value must not be seen: canonical, as an element, and
// under each common hash without a key, in bytes, hex and base64, whole or cut to 10 bytes
// as a tag would be.
func needles(t *testing.T, values ...string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	for _, raw := range values {
		v, _, err := indicator.Parse(indicator.Phone, raw, indicator.Defaults{Country: "AU"})
		must(t, err)
		national := strings.TrimPrefix(v.Canonical(), "+61")
		for form, b := range map[string][]byte{
			"canonical": []byte(v.Canonical()), "element": v.Element(),
			"digits": []byte(v.Canonical()[1:]), "national": []byte("0" + national), "national digits": []byte(national),
		} {
			out[raw+" "+form] = b
			m, s1, s2, s5 := md5.Sum(b), sha1.Sum(b), sha256.Sum256(b), sha512.Sum512(b)
			for hash, h := range map[string][]byte{"MD5": m[:], "SHA-1": s1[:], "SHA-256": s2[:], "SHA-512": s5[:]} {
				name := raw + " " + hash + " of " + form
				out[name] = h[:10]
				out[name+" in hex"] = []byte(hex.EncodeToString(h[:10]))
				out[name+" in base64"] = []byte(base64.StdEncoding.EncodeToString(h[:9]))
			}
		}
	}
	return out
}

// found names the needles that are in a stream.
func found(all map[string][]byte, needles map[string][]byte) []string {
	var out []string
	for name, needle := range needles {
		for _, b := range all {
			if bytes.Contains(b, needle) {
				out = append(out, name)
			}
		}
	}
	return out
}

// TestAReaderOfTheStreamFindsNothing runs rounds with no, one and all items shared and
// with lists of other lengths in the same class: what passes differs in nothing that
// tells which it was, and holds no value of either list in any form that can be tested
// without a key. The legal basis, which does pass, is a planted value.
func TestAReaderOfTheStreamFindsNothing(t *testing.T) {
	const planted = "61491579999"
	for _, result := range []string{"which", "count"} {
		t.Run(result, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var before *record
				for _, c := range []struct{ own, theirs, shared int }{{20, 20, 0}, {20, 20, 1}, {20, 20, 20}, {64, 1, 1}, {1, 64, 0}, {64, 64, 64}} {
					w := newWorld(t, replaced("AU-TIP", planted), "AU", "ID")
					own := phones(0, c.own)
					theirs := append(slices.Clone(own[:c.shared]), phones(1000, c.theirs-c.shared)...)
					w.edit("AU", func(n *node.Node) { importUnder(t, n, planted, "wanted", "suspect", "phone", own...) })
					w.list("ID", "watch", "suspect", theirs...)
					au, id := w.fresh("AU"), w.fresh("ID")
					r := request("ID")
					r.Result = result
					heard := w.net.listen()
					name := w.propose(au, r)
					if v := w.wait(au, name); v.State != "done" {
						t.Fatalf("%+v: %s %s", c, v.State, v.Note)
					}
					synctest.Wait()
					w.halt(au, id)
					if f := found(heard.all, needles(t, append(own, theirs...)...)); len(f) != 0 {
						t.Errorf("%+v: in the open: %v", c, f)
					}
					if f := found(heard.all, needles(t, planted)); !slices.Contains(f, planted+" digits") {
						t.Errorf("%+v: the planted value is not found", c)
					}
					for from, frames := range heard.frames {
						slices.Sort(frames) // flows of a run overlap as the machine's speed will have it
						if before != nil && !slices.Equal(frames, before.frames[from]) {
							t.Errorf("%+v: %s sends frames %v, before %v", c, from, frames, before.frames[from])
						}
					}
					before = heard
				}
			})
		})
	}
}
