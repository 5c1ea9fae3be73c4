package standing_test

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
	"time"

	"entente/protocol/indicator"
)

// Kinds of frames: one that only says that a side is at work, and a block of the publication,
// whose length in bytes varies a little with its tags, which are random to everybody.
const (
	alive = 29
	block = 19
)

// record is everything that went over the streams, by direction, and kind and size of each
// frame.
type record struct {
	all    map[string][]byte
	frames map[string][]string
}

// listen records from now on. Signs of life (alive, while a side computes) depend on the
// machines' speed alone.
func (n *network) listen() *record {
	r := &record{all: map[string][]byte{}, frames: map[string][]string{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen = func(from string, frame []byte) {
		r.all[from] = append(r.all[from], frame...)
		size := len(frame)
		if frame[0] == block {
			size /= 64
		}
		if frame[0] != alive {
			r.frames[from] = append(r.frames[from], fmt.Sprintf("%d:%d", frame[0], size))
		}
	}
	return r
}

// needles are the forms in which a value must not be seen: canonical, as an element, and
// under each common hash without a key, whole or cut to 10 bytes as a tag is.
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

// seen names the needles that are in a record.
func (r *record) seen(needles map[string][]byte) []string {
	var out []string
	for name, needle := range needles {
		for _, b := range r.all {
			if bytes.Contains(b, needle) {
				out = append(out, name)
			}
		}
	}
	return out
}

// TestAReaderOfTheStreamFindsNothing lives through a first run, a quiet day, a day with new
// items, and a removal, with no, one and all items shared and lists of other lengths in the
// same class: what passes differs in nothing that tells which it was, and holds no value of
// either list in any form that can be tested without a key. The legal basis, which does
// pass, is a planted value.
func TestAReaderOfTheStreamFindsNothing(t *testing.T) {
	const planted = "61491579999"
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, planted)
		var before *record
		cases := []struct{ own, theirs, shared, added, removed int }{
			{20, 20, 0, 1, 1}, {20, 20, 1, 5, 4}, {20, 20, 20, 1, 10}, {60, 1, 1, 60, 1}, {1, 60, 0, 3, 1}, {60, 60, 60, 20, 60},
		}
		if testing.Short() { // two to compare
			cases = cases[4:]
		}
		for _, c := range cases {
			own := numbers(0, c.own)
			theirs := append(slices.Clone(own[:c.shared]), numbers(1000, c.theirs-c.shared)...)
			more := append(slices.Clone(own[:c.shared]), numbers(2000, c.added-min(c.shared, c.added))...)[:c.added]
			gone := numbers(3000, c.removed)
			au, id := w.fresh("AU"), w.fresh("ID")
			au.basis = planted
			au.suspects("wanted", own...)
			id.suspects("watch", theirs...)
			id.suspects("gone", gone[:min(c.removed, 64-c.theirs)]...)
			heard := w.net.listen()
			sub := au.subscribe(nil)
			last := *au.ran(sub, time.Time{}).LastRun
			last = *au.ran(sub, last).LastRun
			au.suspects("wanted", numbers(4000, c.added)...)
			id.suspects("watch", more...)
			last = *au.ran(sub, last).LastRun
			pass(time.Hour)
			id.drop("gone")
			au.ran(sub, last)
			synctest.Wait()
			w.halt(au, id)
			if f := heard.seen(needles(t, slices.Concat(own, theirs, more, gone)...)); len(f) != 0 {
				t.Errorf("%+v: in the open: %v", c, f)
			}
			if f := heard.seen(needles(t, planted)); !slices.Contains(f, planted+" digits") {
				t.Errorf("%+v: the planted value is not found", c)
			}
			for from, frames := range heard.frames {
				slices.Sort(frames) // questions and answers overlap as the machine's speed will have it
				if before != nil && !slices.Equal(frames, before.frames[from]) {
					t.Errorf("%+v: %s sends frames %v, before %v", c, from, frames, before.frames[from])
				}
			}
			before = heard
		}
	})
}
