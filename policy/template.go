package policy

import (
	"bytes"
	"embed"
	"fmt"
	"math"
	"slices"
	"text/template"
)

//go:embed templates/*
var templateFiles embed.FS

// rulesFile is what every template writes, so that one replaces the other.
const rulesFile = "rules.cedar"

// Pilot limits.
const (
	PilotPurpose     = "trafficking"
	PilotItemsPerDay = 250_000
)

// PilotOptions fill in the pilot template.
type PilotOptions struct {
	Version    uint64   // of the bundle; 0 means 1
	Partners   []string // member ids, at least one
	Basis      string   // id of the legal basis
	BasisTitle string   // of the law or agreement; empty: to be filled in by hand
	ExactCount bool     // counts without noise, if the partner's rules allow it too
}

// DenyAll returns the files of a bundle that permits nothing: the rules of a new
// node. Version 0 means 1.
func DenyAll(version uint64) map[string][]byte {
	files, err := render("deny", PilotOptions{Version: min(max(version, 1), math.MaxInt64)})
	if err != nil {
		return map[string][]byte{} // no file is no bundle, and no bundle permits nothing
	}
	return files
}

// Pilot returns the files of a bundle for trials: suspects' indicators of every
// kind, for the purpose trafficking, counts and ids, both ways, 250,000 items a day
// and partner, without a person's approval.
func Pilot(o PilotOptions) (map[string][]byte, error) {
	o.Version = max(o.Version, 1)
	if o.Version > math.MaxInt64 {
		return nil, fmt.Errorf("pilot rules: the version is out of range")
	}
	if len(o.Partners) == 0 {
		return nil, fmt.Errorf("pilot rules: no partner is named")
	}
	for i, id := range o.Partners {
		if !isToken(id) || slices.Contains(o.Partners[:i], id) {
			return nil, fmt.Errorf("pilot rules: partner %q is not an identifier or is named twice", plain(id, maxName))
		}
	}
	if !isToken(o.Basis) {
		return nil, fmt.Errorf("pilot rules: legal basis %q is not an identifier: use letters, digits, '-', '_' and '.'", plain(o.Basis, maxName))
	}
	if o.BasisTitle == "" {
		o.BasisTitle = "Title of the law or agreement " + o.Basis
	}
	if !isText(o.BasisTitle, maxText) || bytes.ContainsAny([]byte(o.BasisTitle), `"\`) {
		return nil, fmt.Errorf("pilot rules: the title of the legal basis is not one line of plain text")
	}
	return render("pilot", o)
}

// render fills in a template's two files. Only checked identifiers enter the text.
func render(name string, o PilotOptions) (map[string][]byte, error) {
	t, err := template.ParseFS(templateFiles, "templates/"+name+".*")
	if err != nil {
		return nil, fmt.Errorf("read rules template: %w", err)
	}
	files := make(map[string][]byte)
	for from, to := range map[string]string{name + ".toml": registerFile, name + ".cedar": rulesFile} {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, from, o); err != nil {
			return nil, fmt.Errorf("fill in rules template: %w", err)
		}
		files[to] = b.Bytes()
	}
	return files, nil
}
