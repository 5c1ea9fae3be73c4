package audit

import (
	"bytes"
	"testing"
	"testing/fstest"

	"entente/protocol/checkpoint"
	"entente/protocol/entry"
	"entente/protocol/ledgerfile"
	"entente/protocol/recovery"
)

// reopen begins a new term behind what is ordered, in which two sequencers of before are
// none any more.
func (b *book) reopen(caller string, term uint64) {
	b.t.Helper()
	b.flush()
	last, err := b.mirror.LastFinal()
	must(b.t, err)
	c, err := b.mirror.Checkpoint(b.size)
	must(b.t, err)
	base := checkpoint.Signed{Text: c.Text()}
	for _, id := range b.roster.Sequencers {
		base.Signatures = append(base.Signatures, checkpoint.Sign(c, id, checkpoint.Sequencer, b.cosigning[id], b.now))
	}
	call := recovery.Call{Federation: c.Origin.Federation[:], Term: term, Member: caller, Sequencers: b.ids[:4]}
	var pledges []recovery.Pledge
	for i, id := range b.ids[:checkpoint.Quorum(len(b.ids))] {
		text := c.Text()
		if i == 0 {
			text = last.Text() // it has cosigned no more
		}
		p, err := recovery.NewPledge(call, id, text, b.cosigning[id])
		must(b.t, err)
		pledges = append(pledges, p)
	}
	o, err := recovery.Open(call, base, pledges, b.cosigning[caller])
	must(b.t, err)
	entries, err := b.mirror.Entries(last.Size, int(b.size-last.Size), 1<<24)
	must(b.t, err)
	must(b.t, b.mirror.Enter(b.t.Context(), len(b.mirror.Terms())+1, []recovery.Opening{o}, entries))
	b.roster.Sequencers = call.Sequencers
}

// An export says in which terms the ledger was, and a verifier checks that each may have begun.
func TestLaterTermsAreChecked(t *testing.T) {
	b := story(t)
	first := b.roster
	b.add("M00", entry.AddressesChanged, entry.AddressState{Addresses: []string{}})
	b.reopen("ID", 2)
	b.round("AU", "ID", "in the second term")
	b.tick()
	b.final()
	b.add("M00", entry.AddressesChanged, entry.AddressState{Addresses: []string{}})
	b.reopen("M01", 3)
	b.tick()
	b.final()
	b.roster = first
	right := b.export("AU")
	if r := b.check(right); !r.OK || r.Ledger.Terms != 2 || r.Ledger.Final != b.size {
		t.Fatalf("%+v, %v", r.Ledger, r.Faults)
	}
	frames := func(files fstest.MapFS) (out [][]byte) {
		for f, err := range ledgerfile.Terms.Read(bytes.NewReader(files[termsFile].Data)) {
			must(t, err)
			out = append(out, f.Content)
		}
		return out
	}
	lay := func(files fstest.MapFS, openings ...[]byte) {
		data := ledgerfile.Terms.Header()
		for _, o := range openings {
			var err error
			data, err = ledgerfile.Terms.AppendFrame(data, o)
			must(t, err)
		}
		files[termsFile] = &fstest.MapFile{Data: data}
	}
	change := func(n int, change func(o *recovery.Opening)) func(fstest.MapFS) {
		return func(files fstest.MapFS) {
			all := frames(files)
			o, err := recovery.Unmarshal(all[n])
			must(t, err)
			change(&o)
			all[n], err = o.Marshal()
			must(t, err)
			lay(files, all...)
		}
	}
	for name, m := range map[string]struct {
		change func(files fstest.MapFS)
		fault  []string
	}{
		"no openings":         {func(files fstest.MapFS) { delete(files, termsFile) }, []string{checkpointsFile, "had no such tree"}},
		"the last missing":    {func(files fstest.MapFS) { lay(files, frames(files)[0]) }, []string{checkpointsFile, "had no such tree"}},
		"the first missing":   {func(files fstest.MapFS) { lay(files, frames(files)[1]) }, []string{termsFile, "another term has begun"}},
		"the other way round": {func(files fstest.MapFS) { f := frames(files); lay(files, f[1], f[0]) }, []string{termsFile, "another term has begun"}},
		"a pledge missing":    {change(0, func(o *recovery.Opening) { o.Pledges = o.Pledges[1:] }), []string{termsFile, "does not verify"}},
		"other sequencers":    {change(0, func(o *recovery.Opening) { o.Call.Sequencers = b.ids[1:5] }), []string{termsFile, "does not verify"}},
		"another's pledge":    {change(1, func(o *recovery.Opening) { o.Pledges[1].Ed25519 = o.Pledges[2].Ed25519 }), []string{termsFile, "does not verify"}},
		"cut short":           {func(files fstest.MapFS) { files[termsFile].Data = files[termsFile].Data[:2000] }, []string{termsFile, "ends in the middle"}},
		"manifest of the first": {func(files fstest.MapFS) {
			files[manifestFile].Data = bytes.Replace(files[manifestFile].Data, []byte("/3/"), []byte("/4/"), 1)
		}, []string{manifestFile, "are of"}},
	} {
		files := fstest.MapFS{}
		for name, f := range right {
			files[name] = &fstest.MapFile{Data: bytes.Clone(f.Data)}
		}
		m.change(files)
		if r := b.check(files); r.OK || !names(r.Faults, m.fault...) {
			t.Errorf("%s: want a fault with %q, got %v", name, m.fault, r.Faults)
		}
	}
}
