package policy

import (
	"fmt"
	"io/fs"
	"slices"
)

// Known is what a check may compare the rules with. Empty fields are not compared.
type Known struct {
	Self    string
	Members []string // of the federation's roster, this member included
}

// Check returns every finding about a rules directory, warnings included, sorted by
// place. The error is about reading the directory, not about the rules.
func Check(fsys fs.FS, known Known) ([]Finding, error) {
	files, findings, err := readFiles(fsys)
	if err != nil {
		return nil, err
	}
	b, found, err := compile(files)
	if err != nil {
		return nil, err
	}
	findings = append(findings, found...)
	for _, id := range b.register.Members {
		switch {
		case id == known.Self:
			findings = append(findings, Finding{File: registerFile, Severity: Warning,
				Text: fmt.Sprintf("members: %q is this member itself", id), Remedy: "Rules are about partners."})
		case len(known.Members) > 0 && !slices.Contains(known.Members, id):
			findings = append(findings, Finding{File: registerFile, Severity: Warning,
				Text: fmt.Sprintf("members: %q is not in the federation's roster", plain(id, maxName)), Remedy: "Look for a slip, or wait until it has joined."})
		}
	}
	sortFindings(findings)
	return findings, nil
}

// Warnings are the findings that did not keep the bundle from loading.
func (b *Bundle) Warnings() []Finding { return slices.Clone(b.warnings) }
