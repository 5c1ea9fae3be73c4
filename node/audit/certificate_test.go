package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/round"
	"entente/protocol/terms"
)

// certificate runs a round from AU to a partner on paper and returns what both signed.
func certificate(t testing.TB, r roster.Roster, partner string, created int64) ([]byte, [32]byte) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	au, other := key(t, seeds["AU"]), key(t, seeds[partner])
	digest := r.Digest()
	proposer := round.Parties{Self: "AU", Peer: partner, Roster: digest, Key: au, PeerKey: other.Public()}
	responder := round.Parties{Self: partner, Peer: "AU", Roster: digest, Key: other, PeerKey: au.Public()}
	var members round.Members
	for id, d := range map[string]*[32]byte{"AU": &members.Proposer, partner: &members.Responder} {
		m, ok := r.Find(id)
		if !ok {
			t.Fatalf("%s is no member", id)
		}
		var err error
		*d, err = m.Digest()
		must(err)
	}
	granted := terms.Widest(terms.IDs, terms.IDs)
	a, err := round.Propose(round.Offer{
		Version: round.Version, Round: bytes.Repeat([]byte{3}, round.IDSize), Roster: digest[:], From: "AU", To: partner,
		Created: created, Expires: created + 86_400_000, Kind: "phone", Normaliser: 1, Purpose: "trafficking", Basis: "AU-TIP",
		Asked: granted, Granted: granted, Rules: make([]byte, 32), Class: 64, Commitment: make([]byte, 32),
		Suites: []round.SuiteKey{{Name: "oprf", Public: bytes.Repeat([]byte{4}, 32)}, {Name: round.CountSuite}},
	}, proposer)
	must(err)
	offer, _ := a.Next()
	b, err := round.Receive(offer.Body.(round.Signed), responder, created)
	must(err)
	answer, err := b.Accept(round.Answer{
		Created: created, Expires: created + 86_400_000, Normaliser: 1, Basis: "ID-TIP", Terms: granted,
		Rules: make([]byte, 32), Class: 80, Commitment: make([]byte, 32),
		Suites: []round.SuiteKey{{Name: "oprf", Public: bytes.Repeat([]byte{5}, 32)}},
	})
	must(err)
	confirm, err := a.Step(answer, created)
	must(err)
	_, err = b.Step(*confirm, created)
	must(err)
	a.FinishRun()
	b.FinishRun()
	done := a.Done(round.Traffic{Sent: 10, Received: 20, Finished: created + 1})
	receipt, err := b.SignReceipt(done.Body.(round.Done), round.Traffic{Sent: 20, Received: 10, Finished: created + 2}, members)
	must(err)
	_, err = a.CheckReceipt(receipt.Body.(round.Signed), members)
	must(err)
	c, err := a.Certificate()
	must(err)
	return c, a.Agreement()
}

// certify enters a round as a node does and lays its receipt down; created is when it was
// offered. It returns the receipt's file.
func (f *folder) certify(r roster.Roster, partner string, created int64) string {
	f.t.Helper()
	c, agreement := certificate(f.t, r, partner, created)
	f.seal(agreementLabel, agreement[:])
	return f.receipt(c, certificateLabel)
}

func (f *folder) receipt(c []byte, label string) string {
	f.t.Helper()
	d := round.CertificateDigest(c)
	f.seal(label, d[:])
	name := fmt.Sprintf("receipts/%x.cbor", d[:4])
	f.files[name] = &fstest.MapFile{Data: c}
	return name
}

// audited checks a folder with real receipts.
func audited(t testing.TB, files fstest.MapFS) Report {
	t.Helper()
	r, err := Check(files, Certificate)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// only asserts that there is one fault, which says this.
func only(t *testing.T, r Report, file, part string) {
	t.Helper()
	if len(r.Faults) != 1 || r.Faults[0].File != file || !strings.Contains(r.Faults[0].Problem, part) {
		t.Errorf("faults are %v, want one of %s: … %s …", r.Faults, file, part)
	}
}

func TestCertificateRefuses(t *testing.T) {
	f := joined(t)
	find := func(d [32]byte) (roster.Roster, bool) { return f.roster, d == f.roster.Digest() }
	good, _ := certificate(t, f.roster, "ID", f.now.UnixMilli())
	x, err := Certificate(good, find, "AU")
	if err != nil || x.Roster != f.roster.Digest() || x.Offered != f.now.UnixMilli() || len(x.Agreement) != 32 || len(x.Sealed) != 32 {
		t.Fatalf("%+v, %v", x, err)
	}
	if _, err := Certificate(good, find, "TH"); err == nil || !strings.Contains(err.Error(), "between others") {
		t.Errorf("a receipt of others: %v", err)
	}
	other, _ := certificate(t, f.draw("bali", 2, "AU", "ID"), "ID", f.now.UnixMilli())
	for _, b := range [][]byte{nil, []byte("a receipt"), {0x80}, good[:len(good)-1], other} {
		if _, err := Certificate(b, find, "AU"); err == nil {
			t.Errorf("%.20x… was accepted", b)
		}
	}
}

func TestLabels(t *testing.T) {
	paper := func() (*folder, []byte) {
		f := start(t)
		f.join()
		c, agreement := certificate(t, f.roster, "ID", f.now.UnixMilli())
		f.seal(agreementLabel, agreement[:])
		return f, c
	}
	f, c := paper()
	name := f.receipt(c, certificateLabel)
	f.seal("entente/other/1", []byte("something else"))
	r := audited(t, f.files)
	if !r.OK || r.Receipts != 1 || len(r.Labels) != 3 || r.Labels[certificateLabel] != 1 || r.Labels["entente/other/1"] != 1 {
		t.Errorf("labels %v, faults %v", r.Labels, r.Faults)
	}
	var text bytes.Buffer
	if err := r.Write(&text); err != nil || !strings.Contains(text.String(), "label     entente/other/1: 1, whose use this program does not know\n") ||
		!strings.Contains(text.String(), "label     "+certificateLabel+": 1\n") {
		t.Errorf("%v:\n%s", err, &text)
	}
	f.files["receipts/z.cbor"] = f.files[name]
	only(t, audited(t, f.files), "receipts/z.cbor", "is the same receipt as "+name)

	f, c = paper()
	name = f.receipt(c, agreementLabel) // the right digest under the wrong label
	only(t, audited(t, f.files), name, "under the label "+agreementLabel+", not "+certificateLabel)

	f, c = paper()
	delete(f.files, f.receipt(c, certificateLabel))
	if r := audited(t, f.files); !r.OK || len(r.Notes) != 1 || r.Notes[0] != "1 receipts were sealed that are not here" {
		t.Errorf("faults %v, notes %v", r.Faults, r.Notes)
	}

	f, _ = paper()
	name = f.seal(entry.HeadLabel, []byte{0x80})
	only(t, audited(t, f.files), name, "label of a sealed head")
}
