package demo

import (
	"bytes"
	"embed"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"entente/node"
	"entente/protocol/indicator"
)

// The files that the three services read in. The numbers are those that the regulators
// of Australia (0491 570 006 and 29 more), the United Kingdom (07700 900000 to 900999)
// and North America (555-0100 to 555-0199) set aside for film and fiction; the passports
// are of Utopia (UTO), the specimen state of ICAO Doc 9303; the persons are invented.
//
//go:embed data/*.csv
var files embed.FS

// Members of the story, and who plays which part.
const (
	au = "AU" // proposes
	id = "ID" // agrees
	th = "TH" // refuses
)

// ids are the members in the order of the roster.
func ids() []string { return []string{au, id, th} }

func nameOf(member string) string {
	return map[string]string{au: "Australia", id: "Indonesia", th: "Thailand"}[member]
}

// purpose of all lists and rounds, as the pilot rules have it.
const purpose = "trafficking"

// source is a file and the list that it becomes.
type source struct {
	member, list string
	kind         indicator.Kind
	category     indicator.Category
	defaults     indicator.Defaults
}

// sources are all files, in the order in which their members read them in. Protected
// persons come first: only so can the next file's rows be held.
func sources() []source {
	return []source{
		{id, "watch", indicator.Phone, indicator.Suspect, indicator.Defaults{}},
		{id, "papers", indicator.Document, indicator.Suspect, indicator.Defaults{}},
		{id, "names", indicator.Person, indicator.Suspect, indicator.Defaults{}},
		{th, "watch", indicator.Phone, indicator.Suspect, indicator.Defaults{}},
		{au, "protected", indicator.Phone, indicator.Victim, indicator.Defaults{Country: au}},
		{au, "wanted", indicator.Phone, indicator.Suspect, indicator.Defaults{Country: au}},
		{au, "papers", indicator.Document, indicator.Suspect, indicator.Defaults{}},
		{au, "names", indicator.Person, indicator.Suspect, indicator.Defaults{}},
	}
}

func (f source) name() string { return strings.ToLower(f.member) + "-" + f.list + ".csv" }

func (f source) read() ([]byte, error) {
	b, err := files.ReadFile("data/" + f.name())
	if err != nil {
		return nil, fmt.Errorf("read the story's data: %w", err)
	}
	return b, nil
}

// order is the import that a focal point would ask for.
func (f source) order() node.Import {
	i := node.Import{List: f.list, File: f.name()}
	i.Kind, i.Defaults = f.kind, f.defaults
	i.Handling = indicator.Handling{Category: f.category, Purpose: purpose, Basis: basisOf(f.member)}
	return i
}

// basisOf is a member's legal basis in its own register.
func basisOf(member string) string { return member + "-TIP" }

// values reads the file without the node: every cell that is an indicator, whatever
// the node did with its row.
func (f source) values() ([]listed, error) {
	b, err := f.read()
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(b))
	if first, _, _ := bytes.Cut(b, []byte("\n")); bytes.ContainsRune(first, ';') {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read the story's data: %w", err)
	}
	var out []listed
	for _, row := range rows[1:] {
		d := f.defaults
		if f.kind == indicator.Document {
			d.Issuer = "UTO"
		}
		raw, written := row[0], strings.TrimSpace(row[0])
		if f.kind == indicator.Person { // date of birth and name have columns of their own
			raw, written = row[0]+"|"+row[1], row[1]
		}
		v, _, err := indicator.Parse(f.kind, raw, d)
		if err != nil {
			continue // a row that the node must reject
		}
		out = append(out, listed{v, written})
	}
	return out, nil
}

// allListed are the values of all files of all members.
func allListed() ([]listed, error) {
	var out []listed
	for _, f := range sources() {
		values, err := f.values()
		if err != nil {
			return nil, err
		}
		out = append(out, values...)
	}
	return out, nil
}

// save writes the files where their readers find them.
func save(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("write the story's data: %w", err)
	}
	for _, f := range sources() {
		b, err := f.read()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, f.name()), b, 0o600); err != nil {
			return fmt.Errorf("write the story's data: %w", err)
		}
	}
	return nil
}
