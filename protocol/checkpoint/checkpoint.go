// Package checkpoint states what the federation's ledger holds at one size, and who
// vouches for it: the Merkle tree of RFC 6962 over the entries, checkpoints and
// cosignatures as C2SP defines them (tlog-checkpoint, tlog-cosignature, signed-note), and
// the rules by which a checkpoint is sequenced and final. (SPEC "Ledger".)
//
//	entries ── tree ── checkpoint ── sequencers' quorum ── cosigners' quorum = final
//
// A sequencer signs one root for each size and a cosigner only what continues what it
// signed before; both keep what they signed durably before they let it go. Then two final
// checkpoints of one ledger term agree as long as at most roster.Faulty(n) of the n
// members break these rules, and whoever breaks them in two checkpoints that conflict is
// convicted by Evidence, which anybody can check. Signatures are Ed25519 and ML-DSA-44,
// and both must verify.
//
// Against more than roster.Faulty(n) members it promises evidence, not safety. It says
// nothing of whether the entries are valid, and nothing of time: the times in signatures
// are claims.
package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"entente/protocol/roster"
)

// MaxSize bounds the entries of a ledger: a thousand years at a thousand a second.
const MaxSize = 1 << 45

// MaxText is the longest text of a checkpoint in bytes.
const MaxText = 256

const originPrefix = "entente/"

// Origin names one tree: the ledger of a federation in one ledger term. A later term's tree
// begins with the entries of an earlier one up to its base (protocol/recovery).
type Origin struct {
	Federation [32]byte // digest of the first roster
	Term       uint64   // 1 for the first
	Caller     string   // who called for the term; empty for the first
	Opening    [32]byte // digest of the term's opening; zeros for the first
}

// String is the origin as it stands in checkpoints.
func (o Origin) String() string {
	s := fmt.Sprintf("%s%x/%d", originPrefix, o.Federation, o.Term)
	if o.Term == 1 {
		return s
	}
	return fmt.Sprintf("%s/%s/%x", s, o.Caller, o.Opening)
}

// parseOrigin reads what String writes; Parse compares the spelling.
func parseOrigin(s string) (o Origin, err error) {
	bad := errors.New("origin is not that of a ledger")
	parts := strings.Split(strings.TrimPrefix(s, originPrefix), "/")
	if len(parts) != 2 && len(parts) != 4 {
		return Origin{}, bad
	}
	if o.Term, err = strconv.ParseUint(parts[1], 10, 64); err != nil || (o.Term == 1) != (len(parts) == 2) || o.Term == 0 {
		return Origin{}, bad
	}
	federation, err := hex.DecodeString(parts[0])
	if err != nil || len(federation) != len(o.Federation) {
		return Origin{}, bad
	}
	copy(o.Federation[:], federation)
	if o.Term == 1 {
		return o, nil
	}
	opening, err := hex.DecodeString(parts[3])
	if err != nil || len(opening) != len(o.Opening) || roster.CheckID(parts[2]) != nil {
		return Origin{}, bad
	}
	copy(o.Opening[:], opening)
	o.Caller = parts[2]
	return o, nil
}

// Compare orders terms: by number and, of one number, by who called. Two origins of one
// place in this order need not be equal: a caller that lies can open its term twice.
func (o Origin) Compare(p Origin) int {
	return cmp.Or(cmp.Compare(o.Term, p.Term), cmp.Compare(o.Caller, p.Caller))
}

// Checkpoint states the tree of a ledger at one size.
type Checkpoint struct {
	Origin Origin
	Size   uint64 // entries, at most MaxSize
	Root   Hash
}

// Text is the checkpoint's note text: origin, size and root in base64, a line each.
func (c Checkpoint) Text() []byte {
	return fmt.Appendf(nil, "%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
}

// Parse reads a checkpoint's text and admits exactly what Text writes: C2SP's extension
// lines, which nobody would have checked, have no place here.
func Parse(text []byte) (Checkpoint, error) {
	if len(text) > MaxText {
		return Checkpoint{}, fmt.Errorf("parse checkpoint: has %d bytes, at most %d", len(text), MaxText)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 4 {
		return Checkpoint{}, errors.New("parse checkpoint: must have three lines")
	}
	var c Checkpoint
	var err error
	if c.Origin, err = parseOrigin(lines[0]); err != nil {
		return Checkpoint{}, fmt.Errorf("parse checkpoint: %w", err)
	}
	root, bad := base64.StdEncoding.DecodeString(lines[2])
	if c.Size, err = strconv.ParseUint(lines[1], 10, 64); err != nil || c.Size > MaxSize || bad != nil || len(root) != HashSize {
		return Checkpoint{}, errors.New("parse checkpoint: size or root is malformed")
	}
	copy(c.Root[:], root)
	if !bytes.Equal(c.Text(), text) {
		return Checkpoint{}, errors.New("parse checkpoint: oddly spelt")
	}
	return c, nil
}
