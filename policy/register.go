package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// registerFile is the file that every bundle has.
const registerFile = "bundle.toml"

// register is the content of bundle.toml. What is not in it can be neither named
// in a rule nor allowed: a purpose or basis that nobody registered has no rule.
type register struct {
	Version  int64             `toml:"version"`  // signed, because the decoder would wrap -1 around
	Previous string            `toml:"previous"` // hex digest, optional
	Members  []string          `toml:"members"`  // members that rules name
	Purposes []string          `toml:"purposes"`
	Bases    map[string]string `toml:"bases"` // legal basis id → title of the law or agreement
}

// parseRegister reads bundle.toml strictly: no unknown keys, every value checked.
func parseRegister(b []byte) (register, []Finding) {
	var r register
	fault := func(line int, text, remedy string) []Finding {
		return []Finding{{File: registerFile, Line: line, Severity: Error, Text: text, Remedy: remedy}}
	}
	if len(b) > maxFileBytes || !utf8.Valid(b) {
		return r, fault(0, "is too large or not UTF-8", "")
	}
	meta, err := toml.Decode(string(b), &r)
	if err != nil {
		var p toml.ParseError
		if errors.As(err, &p) {
			return r, fault(p.Position.Line, plain(p.Message, maxText), "")
		}
		return r, fault(0, plain(err.Error(), maxText), "")
	}
	var out []Finding
	for _, key := range meta.Undecoded() {
		out = append(out, fault(0, fmt.Sprintf("unknown key %q", plain(key.String(), maxName)),
			"Known keys are version, previous, members, purposes and bases.")...)
	}
	if r.Version < 1 {
		out = append(out, fault(0, "version is missing or not above 0", "Write version = 1, and one more for each change.")...)
	}
	if _, ok := r.previous(); !ok && r.Previous != "" {
		out = append(out, fault(0, "previous is not a digest of 64 hex digits", "")...)
	}
	for name, ids := range map[string][]string{"members": r.Members, "purposes": r.Purposes, "bases": slices.Sorted(maps.Keys(r.Bases))} {
		for i, id := range ids {
			if !isToken(id) {
				out = append(out, fault(0, fmt.Sprintf("%s: %q is not an identifier", name, plain(id, maxName)),
					"Identifiers have letters, digits, '-', '_' and '.', at most 64.")...)
			} else if slices.Contains(ids[:i], id) {
				out = append(out, fault(0, fmt.Sprintf("%s: %q is listed twice", name, id), "")...)
			}
		}
	}
	for id, title := range r.Bases {
		if !isText(title, maxText) {
			out = append(out, fault(0, fmt.Sprintf("bases: %q has no readable title", plain(id, maxName)),
				"Write the title of the law or agreement in one line.")...)
		}
	}
	sortFindings(out)
	return r, out
}

func (r register) previous() (digest [32]byte, ok bool) {
	b, err := hex.DecodeString(r.Previous)
	if err != nil || len(b) != len(digest) {
		return digest, false
	}
	return [32]byte(b), true
}
