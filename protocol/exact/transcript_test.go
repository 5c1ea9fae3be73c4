package exact

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
	"testing"

	"entente/crypto/transcript"
	"entente/protocol/wire"

	"golang.org/x/crypto/blake2b"
)

// traces returns all that somebody who guesses an element could look for in a stream
// without any key: the element, what goes into the function, and hashes of both, whole and
// as short as a tag, as bytes and as text.
func traces(s *Session, suite string, element []byte) [][]byte {
	var all [][]byte
	in := newInputs(suite, s)
	for _, content := range [][]byte{element, in.ofElement(element)} {
		h1, h2, h5, m := sha1.Sum(content), sha256.Sum256(content), sha512.Sum512(content), md5.Sum(content)
		h3 := blake2b.Sum256(content)
		t1, t2 := transcript.Digest(tagLabel, content), transcript.Digest(countTagLabel, content)
		p := transcript.Digest(proofLabel, content)
		for _, form := range [][]byte{content, h1[:], h2[:], h5[:], m[:], h3[:], t1[:], t2[:], p[:]} {
			all = append(all, form, []byte(hex.EncodeToString(form)), []byte(base64.StdEncoding.EncodeToString(form)))
			if len(form) > TagSize && !bytes.Equal(form, content) {
				all = append(all, form[:TagSize])
			}
		}
	}
	return all
}

// found counts the elements of which a stream holds a trace.
func found(stream []byte, s *Session, suite string, elements list) (n int) {
	for _, e := range elements {
		if slices.ContainsFunc(traces(s, suite, e), func(trace []byte) bool { return bytes.Contains(stream, trace) }) {
			n++
		}
	}
	return n
}

func TestNothingOfAnElementIsInTheStream(t *testing.T) {
	for name, c := range cases() {
		g := rig{suite: c.suite}
		g.r, g.s = agree(t, g.suite, c.about)
		var tp tape
		g.wrap = tp.wrap
		g.run(t.Context()).must(t)
		stream, s, suite := tp.raw(), &g.r.session, g.suite.Name()
		elements := slices.Concat(g.r.set, g.s.set)
		if n := found(stream, s, suite, elements); n != 0 {
			t.Errorf("%s: %d of %d elements left a trace", name, n, len(elements))
		}
		// The same search must find what is planted.
		in := newInputs(suite, s).ofElement(element(7777))
		digest := transcript.Digest(tagLabel, in)
		for what, planted := range map[string][]byte{
			"itself": element(7777), "its short hash": digest[:TagSize], "hex": []byte(hex.EncodeToString(element(7777))),
		} {
			spoilt := slices.Concat(stream[:len(stream)/2], planted, stream[len(stream)/2:])
			if n := found(spoilt, s, suite, append(slices.Clone(elements), element(7777))); n != 1 {
				t.Errorf("%s: the planted control, %s, was found %d times", name, what, n)
			}
		}
	}
}

// All sizes and numbers of frames depend on the classes alone, not on lists or hits.
func TestSizesAreThoseOfTheClasses(t *testing.T) {
	for name, c := range cases() {
		var shapes []string
		for _, sizes := range [][4]int{{0, 50, 20, 110}, {0, 0, 0, 97}, {0, 45, 0, 112}, {0, 51, 200, 300}} {
			g := rig{suite: c.suite}
			about := c.about
			about.receives, about.sends = span(sizes[0], sizes[1]), span(sizes[2], sizes[3])
			g.r, g.s = agree(t, g.suite, about)
			// Classes as agreed, whatever the lists.
			g.r.session.Receiver, g.s.session.Receiver = 80, 80
			g.r.session.Sender, g.s.session.Sender = wire.SizeClass(150), wire.SizeClass(150)
			var tp tape
			g.wrap = tp.wrap
			g.run(t.Context()).must(t)
			shape := ""
			for _, kind := range []wire.Kind{kindStart, kindQuestions, kindAnswers, kindTags, kindReturns, kindDone} {
				for i, body := range tp.of(kind) {
					n := len(body)
					if kind == kindTags { // as long as the tags make it, which are random to all but the sender
						n = planOf(g)[listed].bytes(i)
					}
					shape += fmt.Sprintf("%d:%d ", kind, n)
				}
			}
			// Nor does what a journal holds.
			for _, p := range []party{g.r, g.s} {
				for _, record := range []string{"questions", "answers", "returns", outputRecord, noiseRecord} {
					for _, data := range p.journal.records[record] {
						shape += fmt.Sprintf("%s:%d ", record, len(data))
					}
				}
			}
			shapes = append(shapes, shape)
		}
		if slices.Sort(shapes); len(slices.Compact(shapes)) != 1 {
			t.Errorf("%s: the shape of the stream depends on more than the classes: %q", name, shapes)
		}
	}
}

// What is returned looks the same with hits and without to who has no proofs, and the
// places of hits say nothing.
func TestReturnsHideTheNumberOfHits(t *testing.T) {
	g := rig{suite: smallOPRF()}
	places := make(map[int]int)
	const rounds = 12
	for range rounds {
		g.r, g.s = agree(t, g.suite, terms{mutual: true, receives: span(0, 64), sends: span(60, 124)})
		var tp tape
		g.wrap = tp.wrap
		e := g.run(t.Context()).must(t)
		var all []string
		for _, chunk := range tp.of(kindReturns) {
			for item := range slices.Chunk(chunk[indexSize:], ProofSize) {
				all = append(all, string(item))
			}
		}
		for _, p := range e.r.Proofs {
			places[slices.Index(all, string(p[:]))]++
		}
		if len(all) != g.r.session.Receiver || len(slices.Compact(slices.Sorted(slices.Values(all)))) != len(all) {
			t.Errorf("%d returns, or one twice", len(all))
		}
	}
	if places[-1] != 0 {
		t.Errorf("%d proofs were not returned", places[-1])
	}
	for place, n := range places {
		if n > 6 { // of 48 hits in 64 places; by chance less than once in a million
			t.Errorf("%d hits in place %d", n, place)
		}
	}
}

// A tag says nothing of a proof, and neither of another session's.
func TestTagsAndProofsAreApart(t *testing.T) {
	output := bytes.Repeat([]byte{5}, 64)
	entry := appendEntry(nil, output)
	if len(entry) != entrySize || bytes.Equal(entry[:TagSize], entry[TagSize:2*TagSize]) || bytes.Contains(output, entry[:4]) {
		t.Errorf("entry %x", entry)
	}
	other := bytes.Clone(output)
	other[63] ^= 1
	if e := appendEntry(nil, other); bytes.Equal(e[:TagSize], entry[:TagSize]) || bytes.Equal(e[TagSize:], entry[TagSize:]) {
		t.Error("two outputs share tag or proof")
	}
	point := appendPointTags(nil, output[:elementSize])
	if bytes.Equal(point, entry[:TagSize]) {
		t.Error("the tags of the two suites are not apart")
	}
}
