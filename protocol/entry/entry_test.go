package entry

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"entente/protocol/vectors/memory"
	"entente/protocol/wire"
)

// valid is an entry that passes; tests change one thing in it.
func valid() Entry {
	return Entry{
		Version: Version, Federation: []byte{}, Chain: Local, Member: "AU", Previous: make([]byte, 32),
		Time: start.UnixMilli(), Kind: Imported, Body: []byte{0x80},
	}
}

func TestDecodeChecksEveryField(t *testing.T) {
	digest := bytes.Repeat([]byte{5}, 32)
	gap := func(e *Entry, g Gap) { e.Kind, e.Sequence, e.Body = Restored, 100, body(t, g) }
	for name, c := range map[string]struct {
		change func(*Entry)
		want   string // part of the error; empty: valid
	}{
		"as it is":              {func(*Entry) {}, ""},
		"version":               {func(e *Entry) { e.Version = 2 }, "version"},
		"federation 32":         {func(e *Entry) { e.Federation = digest }, ""},
		"federation 31":         {func(e *Entry) { e.Federation = digest[1:] }, "federation"},
		"chain 0":               {func(e *Entry) { e.Chain = 0 }, "chain"},
		"chain 3":               {func(e *Entry) { e.Chain = 3 }, "chain"},
		"member":                {func(e *Entry) { e.Member = "au" }, "member id"},
		"previous":              {func(e *Entry) { e.Previous = nil }, "previous"},
		"before 2020":           {func(e *Entry) { e.Time = minTime - 1 }, "time"},
		"in 2020":               {func(e *Entry) { e.Time = minTime }, ""},
		"far future":            {func(e *Entry) { e.Time = maxTime }, "time"},
		"last time":             {func(e *Entry) { e.Time = maxTime - 1 }, ""},
		"negative time":         {func(e *Entry) { e.Time = -1 }, "time"},
		"highest number":        {func(e *Entry) { e.Sequence = (uint64(e.Time)+1)*1024 - 1 }, ""},
		"number above its time": {func(e *Entry) { e.Sequence = (uint64(e.Time) + 1) * 1024 }, "number"},
		"kind 0":                {func(e *Entry) { e.Kind = 0 }, "does not belong"},
		"kind unknown":          {func(e *Entry) { e.Kind = kindAfterLast }, "does not belong"},
		"import submitted":      {func(e *Entry) { e.Chain = Submitted }, "does not belong"},
		"sealed local":          {func(e *Entry) { e.Kind, e.Body = SealedDigest, body(t, Sealed{Digest: digest}) }, "does not belong"},
		"empty body":            {func(e *Entry) { e.Body = nil }, "body"},
		"body no CBOR":          {func(e *Entry) { e.Body = []byte{0xff} }, "body"},
		"body two items":        {func(e *Entry) { e.Body = []byte{0x80, 0x80} }, "body"},
		"body with a float":     {func(e *Entry) { e.Body = []byte{0xf9, 0x3c, 0x00} }, "body"},
		"policy":                {func(e *Entry) { e.Kind, e.Body = PolicyActivated, body(t, PolicyState{Digest: digest}) }, ""},
		"policy short":          {func(e *Entry) { e.Kind, e.Body = PolicyActivated, body(t, PolicyState{Digest: digest[1:]}) }, "digest"},
		"policy other form":     {func(e *Entry) { e.Kind = PolicyActivated }, "policy activated"},
		"roster": {func(e *Entry) {
			e.Kind, e.Body, e.Federation = RosterJoined, body(t, RosterState{Digest: digest}), digest
		}, ""},
		"roster of another": {func(e *Entry) {
			e.Kind, e.Body, e.Federation = RosterJoined, body(t, RosterState{Digest: digest}), make([]byte, 32)
		}, "another roster"},
		"roster short":       {func(e *Entry) { e.Kind, e.Body = RosterJoined, body(t, RosterState{}) }, "digest"},
		"gap":                {func(e *Entry) { gap(e, Gap{First: 1, Last: 99}) }, ""},
		"gap all lost":       {func(e *Entry) { gap(e, Gap{First: 1, Last: 99, Lost: 99}) }, ""},
		"gap overlost":       {func(e *Entry) { gap(e, Gap{First: 1, Last: 99, Lost: 100}) }, "lost"},
		"gap early":          {func(e *Entry) { gap(e, Gap{First: 1, Last: 98}) }, "skipped"},
		"gap empty":          {func(e *Entry) { gap(e, Gap{First: 100, Last: 99}) }, "skipped"},
		"gap wraps":          {func(e *Entry) { gap(e, Gap{First: 0, Last: 1<<64 - 1}); e.Sequence = 0 }, "skipped"},
		"opening no opening": {func(e *Entry) { e.Kind = LocalHeadOpening }, "opening"},
	} {
		e := valid()
		c.change(&e)
		b, err := wire.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Signed{Entry: b}.Decode()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatMayBeSubmitted(t *testing.T) {
	both := []Kind{Created, PolicyActivated, Restored, RosterJoined, KeyRotated}
	submitted := append([]Kind{SealedDigest, LocalHead}, ledgerKinds...)
	for k := range kindAfterLast + 3 {
		known := k > 0 && k < kindAfterLast
		if want := slices.Contains(both, k) || slices.Contains(submitted, k); k.Allowed(Submitted) != want {
			t.Errorf("%s in the submitted chain: %v", k, !want)
		}
		if want := known && !slices.Contains(submitted, k); k.Allowed(Local) != want {
			t.Errorf("%s in the local chain: %v", k, !want)
		}
		if k.Allowed(0) || k.Allowed(3) && known {
			t.Errorf("%s in a chain that does not exist", k)
		}
		if known == strings.HasPrefix(k.String(), "kind ") {
			t.Errorf("kind %d is named %q", uint16(k), k)
		}
	}
}

func TestBodySizes(t *testing.T) {
	for n, good := range map[int]bool{MaxBody - 3: true, MaxBody - 2: false} {
		b := append([]byte{0x59, byte(n >> 8), byte(n)}, make([]byte, n)...)
		if _, _, err := author(t, "AU", 1).Next(Head{}, Local, Imported, b, start); (err == nil) != good {
			t.Errorf("body of %d bytes: %v", len(b), err)
		}
	}
}

func TestSignedRoundTrip(t *testing.T) {
	s := five(t, Local).signed[4]
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unmarshal(b)
	if err != nil || got.Digest() != s.Digest() || !bytes.Equal(got.Signature, s.Signature) {
		t.Fatalf("round trip: %v", err)
	}
	for name, hostile := range map[string][]byte{
		"empty":           nil,
		"trailing byte":   append(bytes.Clone(b), 0),
		"cut":             b[:len(b)-1],
		"short signature": mustSigned(t, Signed{Entry: s.Entry, Signature: s.Signature[1:]}),
		"inner trailing":  mustSigned(t, Signed{Entry: append(bytes.Clone(s.Entry), 0), Signature: s.Signature}),
		"length bomb":     {0x82, 0x5b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff},
		"too long":        make([]byte, MaxSigned+1),
	} {
		n := memory.Allocated(func() {
			if _, err := Unmarshal(hostile); err == nil {
				t.Errorf("%s was accepted", name)
			}
		})
		if n > 16*uint64(len(hostile))+64<<10 {
			t.Errorf("%s: %d bytes allocated", name, n)
		}
	}
}

func mustSigned(t *testing.T, s Signed) []byte {
	t.Helper()
	b, err := s.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDigestLeavesTheSignatureOut(t *testing.T) {
	a := author(t, "AU", 1)
	one, h1, err := a.Next(Head{}, Local, Created, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	two, h2, err := a.Next(Head{}, Local, Created, nil, start)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one.Signature, two.Signature) {
		t.Error("signing is not randomised")
	}
	if one.Digest() != two.Digest() || h1.Digest != h2.Digest {
		t.Error("the digest depends on the signature")
	}
}

func TestOpening(t *testing.T) {
	o, err := Seal("entente/test/1", []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := Seal("entente/test/1", []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	if o.Digest() == p.Digest() {
		t.Error("sealing one body twice gives one digest: the nonce is not fresh")
	}
	b, err := o.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	got, err := UnmarshalOpening(b)
	if err != nil || got.Digest() != o.Digest() {
		t.Fatalf("round trip: %v", err)
	}
	for name, q := range map[string]Opening{
		"label": {Label: "entente/test/2", Nonce: o.Nonce, Body: o.Body},
		"nonce": {Label: o.Label, Nonce: p.Nonce, Body: o.Body},
		"body":  {Label: o.Label, Nonce: o.Nonce, Body: []byte("Body")},
		"moved": {Label: o.Label + string(o.Nonce[:1]), Nonce: o.Nonce[1:], Body: o.Body},
	} {
		if q.Digest() == o.Digest() {
			t.Errorf("another %s gives the same digest", name)
		}
	}
	for _, label := range []string{"", strings.Repeat("x", 65), "a b", "a\n", "ä"} {
		if _, err := Seal(label, nil); err == nil {
			t.Errorf("label %q was accepted", label)
		}
	}
	if _, err := Seal("x", make([]byte, MaxBody)); err == nil {
		t.Error("a body too long for the local chain was sealed")
	}
	if _, err := UnmarshalOpening(body(t, Opening{Label: "x", Nonce: make([]byte, 31), Body: []byte{}})); err == nil {
		t.Error("a short nonce was accepted")
	}
}

func TestOpeningPrintsNothing(t *testing.T) {
	o, err := Seal("entente/test/1", []byte("visible"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := o.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(o), fmt.Sprintf("%v %+v %#v %s %q %x %d", o, o, o, o, o, o, &o), string(text), o.LogValue().String(), fmt.Sprint([]Opening{o})} {
		if strings.Contains(s, "visible") || strings.Contains(s, fmt.Sprintf("%x", o.Nonce[:4])) || strings.Contains(s, "118 105") {
			t.Errorf("printed %s", s)
		}
	}
}

func TestSealHead(t *testing.T) {
	local, submitted := five(t, Local), five(t, Submitted)
	if _, err := SealHead(Head{}); err == nil {
		t.Error("sealed the head of an empty chain")
	}
	o, err := SealHead(local.head)
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.Entry()
	if err != nil {
		t.Fatal(err)
	}
	e, err := submitted.add(LocalHead, b).Decode()
	if err != nil {
		t.Fatal(err)
	}
	if d, err := e.SealedDigest(); err != nil || d != o.Digest() {
		t.Errorf("published %x, %v", d, err)
	}
	if b, err = o.Marshal(); err != nil {
		t.Fatal(err)
	}
	was := local.head
	if e, err = local.add(LocalHeadOpening, b).Decode(); err != nil {
		t.Fatal(err)
	}
	opened, h, err := e.HeadOpening()
	if err != nil || h.Sequence != was.Sequence || !bytes.Equal(h.Digest, was.Digest[:]) || opened.Digest() != o.Digest() {
		t.Errorf("opened %v, %v", h, err)
	}
	other, err := Seal("entente/other/1", o.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = other.Marshal(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := local.author.Next(local.head, Local, LocalHeadOpening, b, local.now); err == nil {
		t.Error("an opening under another label passed as that of a head")
	}
}
