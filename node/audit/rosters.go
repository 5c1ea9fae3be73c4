package audit

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/wire"
)

// joinedRoster is a roster of the folder that verified.
type joinedRoster struct {
	roster.Roster
	file string // where it was found
}

// join is a RosterJoined entry.
type join struct {
	sequence uint64
	offset   int64
	time     int64
	version  uint64
	digest   [32]byte
}

// rosterInForce reads the roster that binds the member now.
func (c *check) rosterInForce() {
	if _, err := fs.Stat(c.fsys, rosterName); errors.Is(err, fs.ErrNotExist) {
		return
	}
	c.joined = true
	r, ok := c.readRoster(rosterName)
	if !ok {
		return
	}
	c.roster = r
	d := r.Digest()
	if !c.before(r) {
		c.rosters[d] = &joinedRoster{r, rosterName}
	}
	c.report.Federation = describe(r)
}

func describe(r roster.Roster) *Federation {
	d := r.Digest()
	f := &Federation{Name: r.Name, Version: r.Version, Sequencers: r.Sequencers, Digest: hex.EncodeToString(d[:]), Words: r.Words()}
	for _, m := range r.Members {
		f.Members = append(f.Members, m.ID)
	}
	return f
}

// archive reads every roster that was joined. Each must verify as the one in force must:
// receipts of its time stand and fall with it.
func (c *check) archive() {
	entries, err := fs.ReadDir(c.fsys, rostersName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.report.fault(rostersName, err)
	}
	var sets []string
	for _, e := range entries {
		if _, ok := digestIn(e.Name()); ok && !e.IsDir() {
			sets = append(sets, e.Name())
		}
	}
	for _, e := range entries {
		of := func(set string) bool {
			return e.Name() == set || strings.HasPrefix(e.Name(), set+".") && strings.HasSuffix(e.Name(), ".sig")
		}
		if !slices.ContainsFunc(sets, of) {
			c.report.note("not part of the check: %s", path.Join(rostersName, e.Name()))
		}
	}
	for _, name := range sets {
		file := path.Join(rostersName, name)
		want, _ := digestIn(name)
		r, ok := c.readRoster(file)
		if ok && r.Digest() != want {
			c.report.fault(file, "holds another roster than the one whose digest is its name")
			ok = false
		}
		if !ok {
			c.refused[want] = true
			continue
		}
		if !c.before(r) {
			c.rosters[want] = &joinedRoster{r, file}
		}
	}
}

// digestIn reads the digest in the name of a kept roster.
func digestIn(name string) (d [32]byte, ok bool) {
	digits, ok := strings.CutSuffix(name, ".json")
	b, err := hex.DecodeString(digits)
	if !ok || err != nil || len(b) != len(d) || strings.ToLower(digits) != digits {
		return d, false
	}
	return [32]byte(b), true
}

func keptName(digest [32]byte) string {
	return path.Join(rostersName, hex.EncodeToString(digest[:])+".json")
}

// readRoster reads a roster with the signatures beside it and blames what keeps it from
// being accepted.
func (c *check) readRoster(file string) (roster.Roster, bool) {
	r, signatures, err := roster.Load(c.fsys, file)
	if err == nil {
		err = r.Verify(signatures)
	}
	var v *roster.VerifyError
	switch {
	case errors.As(err, &v):
		c.blame(file, v)
		return r, false
	case err != nil:
		c.report.fault(file, err)
		return r, false
	}
	own, ok := r.Find(c.member)
	switch {
	case c.before(r), ok && c.replaced(): // by the ledger the member had other keys then
	case !ok:
		c.report.fault(file, "has no entry for "+c.member+", whose folder this is")
		return r, false
	case !bytes.Equal(own.Sign, c.first.Member.Sign) || !bytes.Equal(own.Transport, c.first.Member.Transport):
		c.report.fault(file, "the entry for "+c.member+" names other keys than the card with which its chains begin")
		return r, false
	}
	return r, true
}

// blame names the file of each signature that keeps a roster from being accepted.
func (c *check) blame(file string, v *roster.VerifyError) {
	for _, p := range []struct {
		ids     []string
		problem string
	}{
		{v.Missing, "is missing"},
		{v.Wrong, "the signature is wrong"},
		{v.Other, "the signature is for another roster"},
		{v.Foreign, "is by somebody who is not a member"},
	} {
		for _, id := range p.ids {
			c.report.fault(roster.SignatureName(file, id), p.problem)
		}
	}
}

// noteJoin keeps which roster a chain is bound to from an entry on.
func (c *check) noteJoin(chain entry.Chain, f entry.Frame, e entry.Entry) {
	if e.Kind != entry.RosterJoined {
		return
	}
	var s entry.RosterState
	if err := wire.Unmarshal(e.Body, &s); err != nil || len(s.Digest) != entry.DigestSize {
		return // the entry would not have decoded
	}
	c.joins[chain] = append(c.joins[chain], join{e.Sequence, f.Offset, e.Time, s.Version, [32]byte(s.Digest)})
}

// history ties rosters and chains to each other: each roster that was joined is here, in
// the version that the entry names, versions only grow, and no roster is here that
// nobody joined.
func (c *check) history() {
	for _, chain := range []entry.Chain{entry.Submitted, entry.Local} {
		newest := join{}
		for _, j := range c.joins[chain] {
			if j.version < newest.version || j.version == newest.version && j.digest != newest.digest {
				c.report.faultAt(chain.LogName(), j.sequence, j.offset,
					fmt.Sprintf("joins version %d of the roster after version %d", j.version, newest.version))
			}
			newest = j
			c.joinedHere(chain, j)
		}
	}
	digests := c.digestsOfRosters()
	for _, d := range digests {
		c.report.Rosters = append(c.report.Rosters, Roster{Federation: *describe(c.rosters[d].Roster)})
		for _, chain := range []entry.Chain{entry.Submitted, entry.Local} {
			c.joinedIn(chain, d)
		}
		if first := c.rosters[digests[0]]; c.rosters[d].Name != first.Name {
			c.report.fault(c.rosters[d].file, "is the roster of another federation than "+first.file)
		}
	}
}

// digestsOfRosters lists the rosters that are right by version.
func (c *check) digestsOfRosters() [][32]byte {
	var ds [][32]byte
	for d := range c.rosters {
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b [32]byte) int {
		return cmp.Or(cmp.Compare(c.rosters[a].Version, c.rosters[b].Version), bytes.Compare(a[:], b[:]))
	})
	return ds
}

// joinedHere finds the roster that an entry names.
func (c *check) joinedHere(chain entry.Chain, j join) {
	r, ok := c.rosters[j.digest]
	if !ok && !c.refused[j.digest] {
		if r, ok = c.vouched(j.digest); ok {
			c.rosters[j.digest] = r
		}
	}
	switch {
	case ok && r.Version != j.version:
		c.report.faultAt(chain.LogName(), j.sequence, j.offset,
			fmt.Sprintf("says that it joins version %d of the roster, which is version %d", j.version, r.Version))
	case !ok && !c.refused[j.digest]:
		c.refused[j.digest] = true // once is enough
		c.report.fault(keptName(j.digest), fmt.Sprintf(
			"is missing, but entry %d of the %s chain says that this roster was joined; every member of that time has it", j.sequence, chain))
	}
}

// joinedIn looks for the entry by which a chain joined a roster. Where entries were left
// out after a restore, it may have been among them.
func (c *check) joinedIn(chain entry.Chain, d [32]byte) {
	_, found := c.force(chain, d)
	switch {
	case found || c.broken[chain]:
	case chain == entry.Local && c.replaced(): // by the node that is lost
	case c.restored[chain]:
		c.report.note("%s: no entry of the %s chain joins this roster; it may be among those left out", c.rosters[d].file, chain)
	default:
		c.report.fault(c.rosters[d].file, "no entry of the "+chain.String()+" chain says that this roster was joined")
	}
}

// span is the part of a chain that a roster binds: from the entry that joins it up to
// the one that joins another; no number there means that it is in force to the end.
type span struct {
	from, to join
	replaced bool
}

// force finds where a roster was in force.
func (c *check) force(chain entry.Chain, d [32]byte) (s span, found bool) {
	for _, j := range c.joins[chain] {
		switch {
		case j.digest == d && !found:
			s.from, found = j, true
		case j.digest != d && found && !s.replaced:
			s.to, s.replaced = j, true
		}
	}
	return s, found
}
