package audit

import (
	"encoding/hex"
	"fmt"
	"time"

	"entente/protocol/entry"
	"entente/protocol/roster"
	"entente/protocol/standing"
)

// Labels of what a round seals into the submitted chain.
const (
	agreementLabel   = "entente/round-agreement/1"
	certificateLabel = "entente/round-certificate/1"
)

func knownLabel(label string) bool {
	switch label {
	case agreementLabel, certificateLabel, standing.AgreementLabel, standing.AppliedLabel:
		return true
	}
	return false
}

// clocks is how far two members' clocks may be apart in a round.
const clocks = 5 * time.Minute

// receipts checks every receipt, that the node sealed it into its submitted chain, and
// that the roster that it was agreed under was in force.
func (c *check) receipts(verify ReceiptCheck) {
	names := c.files(entry.ReceiptsFolder)
	if len(names) > 0 && verify == nil {
		c.report.fault(entry.ReceiptsFolder, "holds receipts, which this program cannot check")
		return
	}
	if len(names) > 0 && len(c.rosters) == 0 {
		c.report.fault(entry.ReceiptsFolder, "holds receipts, but there is no roster under which to check them")
		return
	}
	taken, wrong := map[*publication]string{}, false
	for _, name := range names {
		b, err := roster.ReadLimited(c.fsys, name, maxReceipt)
		var x Receipt
		if err == nil {
			x, err = verify(b, c.find, c.member)
		}
		if err == nil {
			err = c.fits(name, x, taken)
		}
		if err != nil {
			c.report.fault(name, err)
			wrong = true
		}
	}
	if n := c.report.Labels[certificateLabel] - len(taken); n > 0 && !wrong {
		c.report.note("%d receipts were sealed that are not here", n)
	}
}

// find is how a ReceiptCheck finds rosters.
func (c *check) find(digest [32]byte) (roster.Roster, bool) {
	r, ok := c.rosters[digest]
	if !ok {
		return roster.Roster{}, false
	}
	return r.Roster, true
}

// fits compares a receipt that is signed rightly with the chains.
func (c *check) fits(name string, x Receipt, taken map[*publication]string) error {
	var sealed *publication
	if x.Sealed != nil {
		sealed = c.openedUnder(certificateLabel, x.Sealed)
		switch {
		case sealed == nil && c.broken[entry.Submitted]:
			return nil // its digest may follow the fault
		case sealed == nil && len(c.bodies[string(x.Sealed)]) > 0:
			return fmt.Errorf("the submitted chain seals this receipt under the label %s, not %s",
				c.bodies[string(x.Sealed)][0].opening.Label, certificateLabel)
		case sealed == nil:
			return fmt.Errorf("the submitted chain has no opened digest for this receipt")
		case taken[sealed] != "":
			return fmt.Errorf("is the same receipt as %s", taken[sealed])
		}
		taken[sealed] = name
	}
	if err := c.inForce(x, sealed); err != nil {
		return err
	}
	c.report.Receipts++
	c.right = append(c.right, rightReceipt{name, x, sealed})
	digest := hex.EncodeToString(x.Roster[:])
	for i := range c.report.Rosters {
		if c.report.Rosters[i].Digest == digest {
			c.report.Rosters[i].Receipts++
		}
	}
	return nil
}

// openedUnder finds the earliest opened digest of the submitted chain that holds this
// body under this label.
func (c *check) openedUnder(label string, body []byte) *publication {
	var first *publication
	for _, p := range c.bodies[string(body)] {
		if p.opening.Label == label && (first == nil || p.sequence < first.sequence) {
			first = p
		}
	}
	return first
}

// inForce checks as far as the chain shows it that a receipt's roster bound the member
// when the round was offered and agreed. What was offered under a roster may be agreed
// and closed after the next one was joined, but nothing is agreed under a roster before
// it is joined, nor offered under it once another has taken its place.
func (c *check) inForce(x Receipt, sealed *publication) error {
	r, ok := c.rosters[x.Roster]
	if !ok {
		return fmt.Errorf("was agreed under a roster that is not here: %s", keptName(x.Roster))
	}
	s, found := c.force(entry.Submitted, x.Roster)
	if !found {
		if c.broken[entry.Submitted] || c.restored[entry.Submitted] {
			return nil
		}
		return fmt.Errorf("was agreed under version %d of the roster, which the submitted chain never joined", r.Version)
	}
	at := sealed
	if p := c.openedUnder(agreementLabel, x.Agreement); p != nil && x.Agreement != nil {
		at = p
	}
	if at != nil && at.sequence < s.from.sequence {
		return fmt.Errorf("was agreed under version %d of the roster in entry %d of the submitted chain, but the roster was joined in entry %d",
			r.Version, at.sequence, s.from.sequence)
	}
	if s.replaced && x.Offered > s.to.time+clocks.Milliseconds() {
		return fmt.Errorf("was offered at %s under version %d of the roster, which had been replaced in entry %d of the submitted chain at %s",
			moment(x.Offered), r.Version, s.to.sequence, moment(s.to.time))
	}
	return nil
}
