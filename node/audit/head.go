package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"entente/protocol/entry"
	"entente/protocol/roster"
)

// The high-water file: a line of text, then one line for each chain that has entries,
// with the chain's name, its newest number and that entry's digest in hex.
const (
	headName   = "head"
	headHeader = "entente audit head 1"
	maxHead    = 1 << 10 // bytes
)

// highWater compares the logs with the high-water file, if there is one. The node writes
// that file first, so a log may end before it for a moment; but where both speak of one
// entry they must agree.
func (c *check) highWater() {
	b, err := roster.ReadLimited(c.fsys, headName, maxHead)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var marks map[entry.Chain]numbered
	if err == nil {
		marks, err = parseHead(b)
	}
	if err != nil {
		c.report.fault(headName, err)
		return
	}
	for _, chain := range []entry.Chain{entry.Submitted, entry.Local} {
		m, ok := marks[chain]
		if !ok || c.broken[chain] || len(c.digests[chain]) == 0 {
			continue
		}
		last := c.digests[chain][len(c.digests[chain])-1]
		digest, found := c.digestOf(chain, m.sequence)
		switch {
		case m.sequence > last.sequence:
			c.report.note("%s ends at entry %d, but the node has written up to entry %d: bring the log up to date, or ask where the rest is",
				chain.LogName(), last.sequence, m.sequence)
		case !found || digest != m.digest:
			c.report.fault(headName, fmt.Sprintf("entry %d of the %s chain is another one in %s", m.sequence, chain, chain.LogName()))
		}
	}
}

var errHead = errors.New("does not have the form of a high-water file")

func parseHead(b []byte) (map[entry.Chain]numbered, error) {
	lines := strings.Split(string(b), "\n")
	if len(lines) < 2 || lines[0] != headHeader || lines[len(lines)-1] != "" {
		return nil, errHead
	}
	marks := map[entry.Chain]numbered{}
	again := headHeader + "\n"
	for _, line := range lines[1 : len(lines)-1] {
		fields := strings.Split(line, " ")
		if len(fields) != 3 {
			return nil, errHead
		}
		n, err := strconv.ParseUint(fields[1], 10, 64)
		digest, bad := hex.DecodeString(fields[2])
		if err != nil || bad != nil || len(digest) != entry.DigestSize {
			return nil, errHead
		}
		for _, chain := range []entry.Chain{entry.Local, entry.Submitted} {
			if fields[0] == chain.String() {
				marks[chain] = numbered{sequence: n, digest: [32]byte(digest)}
				again += fmt.Sprintf("%s %d %x\n", chain, n, digest)
			}
		}
	}
	if !bytes.Equal([]byte(again), b) || len(marks) != len(lines)-2 {
		return nil, errHead
	}
	return marks, nil
}
