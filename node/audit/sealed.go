package audit

import (
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
			c.openedAs(name, p, o)
		}
	}
	if n := c.report.Sealed.Published - c.report.Sealed.Opened; n > 0 {
		c.report.note("%d sealed digests have no opening here", n)
	}
}

// openedAs keeps an opening under its label. The label is sealed with the body, so what was
// sealed for one use cannot pass for another.
func (c *check) openedAs(name string, p *publication, o entry.Opening) {
	p.opening = &o
	if o.Label == entry.HeadLabel {
		c.report.fault(name, "has the label of a sealed head, which this kind of entry does not seal")
		return
	}
	c.report.Sealed.Opened++
	c.report.Labels[o.Label]++
	c.bodies[string(o.Body)] = append(c.bodies[string(o.Body)], p)
}
