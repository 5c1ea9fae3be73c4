package exact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestPermutation(t *testing.T) {
	stream := seedStream(make([]byte, 32))
	counts := make(map[string]int)
	const rounds = 24_000
	for range rounds {
		p, err := permutation(stream, 4)
		if err != nil {
			t.Fatal(err)
		}
		counts[fmt.Sprint(p)]++
	}
	chi := 0.0
	for _, n := range counts {
		chi += math.Pow(float64(n)-rounds/24, 2) / (rounds / 24)
	}
	// 23 degrees of freedom; above 72 less than once in a million. The seed is fixed.
	if len(counts) != 24 || chi > 72 {
		t.Errorf("%d orders of 4, chi square %.1f", len(counts), chi)
	}
	for _, n := range []int{0, 1, 2, 1000} {
		p, err := permutation(stream, n)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(p)
		for i, v := range p {
			if int(v) != i {
				t.Fatalf("no permutation of %d", n)
			}
		}
	}
	if _, err := permutation(strings.NewReader("short"), 4); err == nil {
		t.Error("a stream that ends gave an order")
	}
}

func TestBelowThrowsIncompleteRunsAway(t *testing.T) {
	// 2^64 mod 3 = 1: the draw 0 is the one too many.
	low := append(make([]byte, 8), 0, 0, 0, 0, 0, 0, 0, 2)
	if n, err := below(bytes.NewReader(low), 3); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
	// A power of two leaves none.
	if n, err := below(bytes.NewReader(make([]byte, 8)), 4); err != nil || n != 0 {
		t.Errorf("%d, %v", n, err)
	}
}

func TestSecretsDeriveApart(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, SecretSize)
	var session, other [32]byte
	other[0] = 1
	set := sha256.Sum256([]byte("list"))
	seen := make(map[string]string)
	add := func(name string, secret []byte, session [32]byte, r role, set []byte) {
		root, err := newRoot(secret, session, r, set)
		if err != nil {
			t.Fatal(err)
		}
		for _, label := range []string{blindLabel, maskLabel, slotLabel, padLabel, shuffleLabel, returnLabel} {
			seed, err := root.seed(label)
			if err != nil {
				t.Fatal(err)
			}
			if before, twice := seen[string(seed)]; twice {
				t.Errorf("%s %s is the same as %s", name, label, before)
			}
			seen[string(seed)] = name + " " + label
		}
		if text := fmt.Sprintf("%v %+v %x", root, root, root); strings.Contains(text, fmt.Sprintf("%x", root.key)) || !strings.Contains(text, "secret") {
			t.Errorf("a root prints %s", text)
		}
	}
	add("base", secret, session, receiver, set[:])
	add("other secret", bytes.Repeat([]byte{2}, SecretSize), session, receiver, set[:])
	add("other session", secret, other, receiver, set[:])
	add("other role", secret, session, sender, set[:])
	add("other list", secret, session, receiver, session[:])
	a, err := senderKey(nameOPRF, secret)
	if err != nil {
		t.Fatal(err)
	}
	b, err := senderKey(nameCount, secret)
	if err != nil {
		t.Fatal(err)
	}
	if a.Public().Equal(b.Public()) {
		t.Error("two suites share a key")
	}
}

// Two sextuples that differ must never encode alike.
func TestInputsAreInjective(t *testing.T) {
	seen := make(map[string]bool)
	add := func(in []byte) {
		if seen[string(in)] {
			t.Errorf("%q came before", in)
		}
		seen[string(in)] = true
	}
	for _, kind := range []string{"a", "ab", "a\x00\x02"} {
		for _, version := range []uint16{0, 1, 256} {
			for _, suite := range []string{nameOPRF, nameCount} {
				s := &Session{Kind: kind, Version: version}
				in := newInputs(suite, s)
				for _, e := range []string{"", "b", "b\x00", "\x00\x02"} {
					add(in.ofElement([]byte(e)))
				}
				add(in.ofDummy(0))
				add(in.ofDummy(1))
				add(in.ofPadding(paddingOf(make([]byte, 32)), 0))
				add(in.ofPadding(paddingOf(make([]byte, 32)), 1))
				s.Run = 1
				add(newInputs(suite, s).ofElement([]byte("b")))
				s.Agreement[0] = 1
				add(newInputs(suite, s).ofElement([]byte("b")))
			}
		}
	}
	in := newInputs(nameOPRF, &Session{Kind: "a"})
	first := in.ofElement([]byte("first"))
	keep := bytes.Clone(first)
	in.ofElement([]byte("other"))
	if !bytes.Equal(first, keep) {
		t.Error("an input was written over by the next")
	}
}

func TestAJournalThatCameToHarmIsNoResult(t *testing.T) {
	harm := map[string]func(m *MemoryJournal, flow string){
		// Its end: tags without their first byte can, rarely, be read as other tags.
		"short record": func(m *MemoryJournal, flow string) {
			m.records[flow][0] = m.records[flow][0][:len(m.records[flow][0])-1]
		},
		"empty record": func(m *MemoryJournal, flow string) { m.records[flow][0] = nil },
		"too many":     func(m *MemoryJournal, flow string) { m.records[flow] = append(m.records[flow], m.records[flow][0]) },
	}
	for name, c := range cases() {
		whole := rig{suite: c.suite}
		whole.r, whole.s = agree(t, whole.suite, c.about)
		whole.run(t.Context()).must(t)
		for what, change := range harm {
			for _, flow := range []string{"answers", "tags", pinRecord, bytesRecord, "questions", outputRecord, noiseRecord} {
				g := whole
				g.r.journal, g.s.journal = g.r.journal.copied(), g.s.journal.copied()
				// The record in question is on one of the two sides only, or on both.
				hit := false
				for _, p := range []party{g.r, g.s} {
					if p.journal.records[flow] != nil {
						change(p.journal, flow)
						hit = true
					}
				}
				harmless := what == "too many" && (flow == bytesRecord || flow == pinRecord)
				if e := g.run(t.Context()); hit && !harmless && e.rerr == nil && e.serr == nil {
					t.Errorf("%s: %s of %s went unseen", name, what, flow)
				}
			}
		}
	}
}

// copied returns a journal with the same records.
func (m *MemoryJournal) copied() *MemoryJournal {
	c := &MemoryJournal{records: make(map[string][][]byte)}
	for flow, records := range m.records {
		for _, data := range records {
			c.records[flow] = append(c.records[flow], bytes.Clone(data))
		}
	}
	return c
}

// Labels of digests say whose they are and which version.
func TestLabelsHaveOneForm(t *testing.T) {
	form := regexp.MustCompile(`^entente/exact/[a-z/]+/1$`)
	for _, label := range []string{tagLabel, proofLabel, countTagLabel, listLabel, sessionLabel, pinLabel, setLabel} {
		if !form.MatchString(label) {
			t.Errorf("label %q", label)
		}
	}
}

func TestMemoryJournal(t *testing.T) {
	m := new(MemoryJournal)
	data := []byte("one")
	if err := m.Put(t.Context(), "f", 0, data); err != nil {
		t.Fatal(err)
	}
	data[0] = 'x'
	for got, err := range m.Chunks(t.Context(), "f") {
		if err != nil || string(got) != "one" {
			t.Errorf("%q, %v", got, err)
		}
	}
	for _, sequence := range []int{0, 2, -1} {
		if err := m.Put(t.Context(), "f", sequence, data); err == nil {
			t.Errorf("record %d was taken", sequence)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Put(ctx, "f", 1, data); err == nil {
		t.Error("a cancelled write was taken")
	}
	for _, err := range m.Chunks(ctx, "f") {
		if err == nil {
			t.Error("a cancelled read gave a record")
		}
	}
}

func TestPlan(t *testing.T) {
	p := newPlan(nameOPRF, 2560, 5120, true, 1)
	for id, want := range map[flowID][]int{
		questions: {32768, 32768, 16384},
		answers:   {32832, 32832, 16448},
		listed:    {36928, 9280}, // at most
		returns:   {32768, 8192},
	} {
		f := p[id]
		if f.chunks() != len(want) {
			t.Fatalf("%s: %d chunks", f.name, f.chunks())
		}
		sum := int64(0)
		for i, n := range want {
			if f.bytes(i) != n {
				t.Errorf("%s: %d bytes, want %d", f.describe(i), f.bytes(i), n)
			}
			sum += int64(n)
			if id == listed {
				sum = f.code.MaxSize(4096) * int64(min(5120, 4096*(i+1))) / 5120
			}
			if f.upTo(i+1) != sum {
				t.Errorf("%s: %d bytes up to chunk %d, want %d", f.name, f.upTo(i+1), i, sum)
			}
		}
		if f.upTo(0) != 0 {
			t.Errorf("%s: bytes before the first chunk", f.name)
		}
	}
	if p := newPlan(nameOPRF, 64, 64, false, 1); p[returns].chunks() != 0 || p[returns].upTo(0) != 0 {
		t.Error("returns that were not agreed")
	}
}
