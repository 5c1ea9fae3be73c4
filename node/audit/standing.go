package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"entente/crypto/sign"
	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/round"
	"entente/protocol/standing"
	"entente/protocol/wire"
)

// standingFolder holds what standing rounds leave.
const standingFolder = "standing"

// standing checks the agreements of standing rounds, and the receipts by which partners
// stated that they hold a list without what was removed. A receipt proves that statement,
// and nothing about copies.
func (c *check) standing() {
	agreements := c.agreements()
	taken, wrong := map[*publication]string{}, false
	for _, name := range c.files(standing.ReceiptsFolder) {
		if err := c.applied(name, agreements, taken); err != nil {
			c.report.fault(name, err)
			wrong = true
		}
	}
	if n := c.report.Labels[standing.AppliedLabel] - len(taken); n > 0 && !wrong {
		c.report.note("%d receipts of standing rounds were sealed that are not here", n)
	}
	entries, err := fs.ReadDir(c.fsys, standingFolder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.report.fault(standingFolder, err)
	}
	for _, e := range entries {
		name := path.Join(standingFolder, e.Name())
		if name != standing.AgreementsFolder && name != standing.ReceiptsFolder {
			c.report.note("not part of the check: %s", name)
		}
	}
}

// agreements reads the agreements that are right, by digest.
func (c *check) agreements() map[[32]byte]standing.Agreed {
	out := map[[32]byte]standing.Agreed{}
	for _, name := range c.files(standing.AgreementsFolder) {
		a, err := c.agreed(name)
		if err == nil && out[a.Agreement].Offer.From != "" {
			err = errors.New("is the same agreement as another file")
		}
		if err != nil {
			c.report.fault(name, err)
			continue
		}
		out[a.Agreement] = a
		c.report.Standing.Agreements++
	}
	return out
}

func (c *check) agreed(name string) (standing.Agreed, error) {
	b, err := roster.ReadLimited(c.fsys, name, maxReceipt)
	if err != nil {
		return standing.Agreed{}, err
	}
	digest, err := standing.RosterOf(b)
	if err != nil {
		return standing.Agreed{}, err
	}
	r, ok := c.rosters[digest]
	if !ok {
		return standing.Agreed{}, fmt.Errorf("was agreed under a roster that is not here, or not right: %s", keptName(digest))
	}
	ring := keyring(r.Roster)
	a, err := standing.VerifyCertificate(b, digest, func(id string) (*sign.PublicKey, bool) {
		key, _, ok := ring(id)
		return key, ok
	})
	if err != nil {
		return a, err
	}
	if a.Offer.From != c.member && a.Offer.To != c.member {
		return a, errors.New("the agreement is one between others")
	}
	sealed := c.openedUnder(standing.AgreementLabel, a.Agreement[:])
	if sealed == nil && !c.broken[entry.Submitted] {
		return a, errors.New("the submitted chain has no opened digest for this agreement")
	}
	return a, c.inForce(Receipt{Roster: digest, Offered: a.Offer.Created}, sealed)
}

// applied checks one receipt.
func (c *check) applied(name string, agreements map[[32]byte]standing.Agreed, taken map[*publication]string) error {
	b, err := roster.ReadLimited(c.fsys, name, maxReceipt)
	if err != nil {
		return err
	}
	var s round.Signed
	if err := wire.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	x, err := standing.PeekApplied(s)
	if err != nil {
		return fmt.Errorf("read receipt: %w", err)
	}
	a, ok := agreements[x.Agreement]
	if !ok {
		return errors.New("is about an agreement that is not here, or not right")
	}
	asker, ok := a.Asks(x.Feed)
	if !ok || asker == c.member {
		return errors.New("is not of the partner in this agreement")
	}
	if !c.signedBy(asker, s) {
		return fmt.Errorf("is not signed by %s under any roster that is here", asker)
	}
	sealed := c.openedUnder(standing.AppliedLabel, s.Body)
	switch {
	case sealed == nil && c.broken[entry.Submitted]:
		return nil // its digest may follow the fault
	case sealed == nil:
		return errors.New("the submitted chain has no opened digest for this receipt")
	case taken[sealed] != "":
		return fmt.Errorf("is the same receipt as %s", taken[sealed])
	}
	taken[sealed] = name
	c.report.Standing.Receipts++
	return nil
}

// signedBy tells whether a member has signed a receipt. An agreement outlives a roster, so
// the key may be that of a later one.
func (c *check) signedBy(member string, s round.Signed) bool {
	for _, r := range c.rosters {
		key, _, ok := keyring(r.Roster)(member)
		if !ok {
			continue
		}
		if _, err := standing.OpenApplied(key, s); err == nil {
			return true
		}
	}
	return false
}
