package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// files lists the .cbor files of a folder, which may be absent.
func (c *check) files(folder string) []string {
	entries, err := fs.ReadDir(c.fsys, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.report.fault(folder, err)
	}
	var names []string
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		if !strings.HasSuffix(name, ".cbor") || e.IsDir() {
			c.report.note("not part of the check: %s", name)
			continue
		}
		names = append(names, name)
	}
	return names
}

// openings ties every opening file to the sealed digest that it opens. A digest without
// an opening is no fault: openings are erased when their time has come.
func (c *check) openings() {
	for _, name := range c.files(entry.OpeningsFolder) {
		b, err := roster.ReadLimited(c.fsys, name, entry.MaxEntry)
		if err != nil {
			c.report.fault(name, err)
			continue
		}
		o, err := entry.UnmarshalOpening(b)
		if err != nil {
			c.report.fault(name, err)
			continue
		}
		p, ok := c.published[o.Digest()]
		switch {
		case !ok && c.broken[entry.Submitted]:
			// It may open what follows the fault.
		case !ok || p.kind != entry.SealedDigest:
			c.report.fault(name, "opens no sealed digest of the submitted chain: one of the two was changed")
		case p.opening != nil:
			c.report.fault(name, "opens what another file opens already")
		default:
			p.opening = &o
			c.report.Sealed.Opened++
		}
	}
	if n := c.report.Sealed.Published - c.report.Sealed.Opened; n > 0 {
		c.report.note("%d sealed digests have no opening here", n)
	}
}

// receipts checks every receipt and that the node sealed it into its submitted chain.
func (c *check) receipts(verify ReceiptCheck) {
	names := c.files(entry.ReceiptsFolder)
	if len(names) > 0 && verify == nil {
		c.report.fault(entry.ReceiptsFolder, "holds receipts, which this program cannot check")
		return
	}
	if len(names) > 0 && c.report.Federation == nil {
		c.report.fault(entry.ReceiptsFolder, "holds receipts, but there is no roster under which to check them")
		return
	}
	for _, name := range names {
		b, err := roster.ReadLimited(c.fsys, name, maxReceipt)
		if err != nil {
			c.report.fault(name, err)
			continue
		}
		body, err := verify(b, c.roster, c.member)
		if err != nil {
			c.report.fault(name, err)
			continue
		}
		if body != nil && !c.sealed(body) {
			if !c.broken[entry.Submitted] {
				c.report.fault(name, "the submitted chain has no opened digest for this receipt")
			}
			continue
		}
		c.report.Receipts++
	}
}

// sealed reports whether an opened digest of the submitted chain holds this body.
func (c *check) sealed(body []byte) bool {
	for _, p := range c.published {
		if p.kind == entry.SealedDigest && p.opening != nil && bytes.Equal(p.opening.Body, body) {
			return true
		}
	}
	return false
}
