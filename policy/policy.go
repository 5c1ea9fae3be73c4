// Package policy decides what one member shares, from its own rules alone: pure
// functions of rules, request, usage and the time passed in.
//
// Rules are Cedar (docs.cedarpolicy.com), read from a directory of *.cedar files
// and one bundle.toml, the register of the members, purposes and legal bases that
// the rules may name. A rule asks: may this member (principal) learn with this
// output mode (action) about this list of ours (resource), in these circumstances
// (context)? Each direction of learning is a question of its own. Nothing is
// allowed unless a permit matches, any matching forbid wins, evaluation always
// ends. Duties (retention, noise, approval …) are annotations from a closed
// vocabulary; the strictest of all deciding rules holds.
//
// It promises: a bundle that loads is free of misspelt names, comparisons that can
// never be true and unknown annotations; any error during evaluation denies, since
// Cedar itself would skip a forbid that fails; the embedded baseline stands above
// every bundle; a decision names each rule that made it. It trusts the facts in a
// request: the node fills them from its own records, never from the partner.
//
// Not decided here: single persons. A list as a whole is of one category, and the
// baseline keeps victims, witnesses, missing persons and minors out of bulk
// matching by list. Items with a flag of their own (minor, protected, never with a
// member) are taken out when the node takes the snapshot of a list. Reasons of a
// refusal are for the own side; a partner gets one neutral answer.
package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
)

// Bundle is one version of a member's rules: parsed, checked and immutable, so
// that any number of goroutines may use it.
type Bundle struct {
	files    map[string][]byte
	register register
	rules    ruleSet // baseline first, then files in the order of their names
	byID     map[string]*rule
	index    index
	engine   *engine
	warnings []Finding
}

// Load reads a rules directory. An error about the rules themselves is an
// *InvalidError with every finding.
func Load(fsys fs.FS) (*Bundle, error) {
	files, findings, err := readFiles(fsys)
	if err != nil {
		return nil, err
	}
	return build(files, findings)
}

// Parse is Load for rules that are already in memory, by file name.
func Parse(files map[string][]byte) (*Bundle, error) { return build(files, nil) }

func build(files map[string][]byte, findings []Finding) (*Bundle, error) {
	b, found, err := compile(files)
	if err != nil {
		return nil, err
	}
	findings = append(findings, found...)
	if slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Error }) {
		sortFindings(findings)
		return nil, &InvalidError{Findings: findings}
	}
	b.warnings = findings
	return b, nil
}

// Version is the number that bundle.toml states. A node activates only rising ones.
func (b *Bundle) Version() uint64 { return uint64(b.register.Version) }

// Previous is the digest of the bundle that this one replaces, if it names one.
func (b *Bundle) Previous() (digest [32]byte, ok bool) { return b.register.previous() }

// Files returns a copy of the files that the bundle was read from, for the archive
// of rules that once decided.
func (b *Bundle) Files() map[string][]byte {
	out := maps.Clone(b.files)
	for name, content := range out {
		out[name] = slices.Clone(content)
	}
	return out
}

// digestLabel separates the digest of rules from every other hash of the protocol.
const digestLabel = "entente/rules/1"

// Digest is SHA-256 over a label and, in the order of their names, every file's
// name and content, each behind its length as eight bytes. Two bundles with one
// digest have the same files.
func (b *Bundle) Digest() [32]byte {
	h := sha256.New()
	put := func(s []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(s)))
		h.Write(length[:])
		h.Write(s)
	}
	put([]byte(digestLabel))
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		put([]byte(name))
		put(b.files[name])
	}
	return [32]byte(h.Sum(nil))
}

// Limits of a bundle. They bound the time that hostile text can cost, and are far
// above what people can keep in their heads.
const (
	maxFiles     = 64
	maxFileBytes = 256 << 10
	maxRules     = 2000
	maxTokens    = 1000 // in one rule
	maxChain     = 8    // dots in a.b.c; the validator's time grows with their cube
	maxNesting   = 32   // brackets inside brackets
)

// readFiles takes every file of the directory. Anything that is neither rules nor
// register is a finding, because a rule in a misnamed file would silently not hold.
func readFiles(fsys fs.FS) (map[string][]byte, []Finding, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, nil, fmt.Errorf("read rules directory: %w", err)
	}
	files := make(map[string][]byte)
	var findings []Finding
	for _, e := range entries {
		name := e.Name()
		switch {
		case name[0] == '.' || name == "README.md":
			continue
		case !e.Type().IsRegular() || !isRuleFile(name) && name != registerFile:
			findings = append(findings, Finding{File: plain(name, maxName), Severity: Error,
				Text:   "is neither bundle.toml nor a rules file",
				Remedy: "Rules files are plain files with names such as partners.cedar; move anything else out of the folder."})
			continue
		case len(files) >= maxFiles+1:
			return nil, nil, fmt.Errorf("read rules directory: more than %d files", maxFiles)
		}
		b, err := readFile(fsys, name)
		if err != nil {
			return nil, nil, fmt.Errorf("read rules: %w", err)
		}
		files[name] = b
	}
	return files, findings, nil
}

// readFile reads at most one byte more than is allowed, so that compile can refuse
// the file without holding all of it.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileBytes+1))
}

// isRuleFile accepts names of letters, digits, '-', '_' and '.', that end in .cedar
// and do not pose as the baseline.
func isRuleFile(name string) bool {
	const suffix = ".cedar"
	stem := len(name) - len(suffix)
	if stem < 1 || len(name) > maxName || name[stem:] != suffix || name == baselineFile {
		return false
	}
	return isToken(name)
}
