package demo

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"entente/node/intake"
	"entente/node/rounds"
)

// filesFolder keeps the files beside the nodes.
const filesFolder = "files"

func (s *story) opening() {
	s.screen.line("ENTENTE: the main job, shown with invented data")
	s.screen.say("Three police services look for traffickers. Each has its own lists. They want to know "+
		"which entries two of them share, and nothing else may become known. %s", Notice)
	s.screen.say("The telephone numbers are those that regulators set aside for film and fiction, the " +
		"passports are of Utopia, a country that exists only on specimens.")
}

// lists sets up the nodes and reads in the files of the two partners.
func (s *story) lists(ctx context.Context) error {
	if err := save(filepath.Join(s.base, filesFolder)); err != nil {
		return err
	}
	words, err := s.stage.open(ctx)
	if err != nil {
		return err
	}
	held := map[string][]string{}
	for _, f := range sources() {
		if f.member == au {
			continue
		}
		report, err := s.read(ctx, f)
		if err != nil {
			return err
		}
		held[f.member] = append(held[f.member], fmt.Sprintf("%s: %d %ss", f.list, report.Ready, f.kind))
	}
	s.screen.table(
		[]string{"SERVICE", "ITS NODE KEEPS ITS DATA IN", "LISTS"},
		[]string{nameOf(au), s.stage.dir(au), "read in on the next screen"},
		[]string{nameOf(id), s.stage.dir(id), strings.Join(held[id], ", ")},
		[]string{nameOf(th), s.stage.dir(th), strings.Join(held[th], ", ")},
	)
	s.screen.say("Each service runs one node with its own keys, database and rules. Here all three run on one " +
		"machine and speak over its network, as they would between capitals. No list ever leaves its folder.")
	s.screen.say("All three have signed the same roster of members. So that no stranger slips in, the officers " +
		"read its words to each other by telephone:")
	s.screen.line("  %s", words)
	s.check("members in the roster", len(ids()), len(s.stage.members))
	return nil
}

// read lets a member's node read in one file, and checks how many items it has then.
func (s *story) read(ctx context.Context, f source) (intake.Report, error) {
	b, err := f.read()
	if err != nil {
		return intake.Report{}, err
	}
	m := s.stage.members[f.member]
	order := f.order()
	order.Size = int64(len(b))
	report, err := m.ImportList(ctx, order, bytes.NewReader(b))
	if err != nil {
		return report, err
	}
	lists, err := m.Lists(ctx)
	if err != nil {
		return report, err
	}
	for _, l := range lists {
		if l.Name == f.list {
			s.check("items from "+f.name(), s.truth.lists[f.name()], l.Items)
		}
	}
	return report, nil
}

// intake reads in Australia's files, the messy one in view.
func (s *story) intake(ctx context.Context) error {
	var wanted intake.Report
	for _, f := range sources() {
		if f.member != au {
			continue
		}
		report, err := s.read(ctx, f)
		if err != nil {
			return err
		}
		if f.list == "wanted" {
			wanted = report
		}
	}
	r := wanted
	got := counts{rows: r.Rows, ready: r.Ready, merged: r.Duplicates, held: r.Held, rejected: r.Rejected, changed: r.Changed}
	s.check("rows of au-wanted.csv", s.truth.wanted, got)
	s.check("rejected rows by reason", s.truth.rejected, tally(r.Reasons))
	held := slices.IndexFunc(r.Examples, func(x intake.Row) bool { return x.Outcome == intake.Held })
	if held >= 0 {
		s.check("value held for the protection desk", s.truth.held, r.Examples[held].After)
	}
	s.showIntake(r)
	return nil
}

func (s *story) showIntake(r intake.Report) {
	s.screen.say("Australia reads in its list of victims first: %d numbers that never take part in a round. "+
		"Then comes the working file as the office keeps it, %d rows. Each row is counted once, and each change is shown.",
		s.truth.lists["au-protected.csv"], r.Rows)
	s.screen.item(fmt.Sprintf("ready     %4d", r.Ready), "new in the list")
	s.screen.item(fmt.Sprintf("merged    %4d", r.Duplicates), "the same number again")
	s.example(r, intake.Duplicate, "in_file")
	s.screen.item(fmt.Sprintf("rejected  %4d", r.Rejected), "no usable number; correct them and read them in again")
	s.example(r, intake.Rejected, "spreadsheet_damage", "stop_value", "several_values")
	s.screen.item(fmt.Sprintf("held      %4d", r.Held), "for the protection desk")
	s.example(r, intake.Held, "protection_list")
	s.screen.gap()
	s.screen.item(fmt.Sprintf("changed   %4d", r.Changed), "of these rows, brought into one common form")
	s.example(r, intake.Changed, "country_added", "international_prefix", "trunk_zero_missing")
	s.screen.say("The held row looks like a lead, but the number is a victim's. It takes part in no round until the protection desk decides.")
}

// example shows the first row of each reason, before and after.
func (s *story) example(r intake.Report, o intake.Outcome, reasons ...string) {
	for _, reason := range reasons {
		for _, x := range r.Examples {
			if x.Outcome != o || x.Reason != reason && !slices.Contains(x.Also, reason) {
				continue
			}
			change := x.Before
			if x.After != "" && x.After != x.Before {
				change += " → " + x.After
			}
			text := cmp.Or(r.Texts[reason], x.Text)
			if o == intake.Rejected {
				text, _, _ = strings.Cut(text, ";") // what to do about it is in the full report
			}
			s.screen.item(fmt.Sprintf("  line %d", x.Line), "%s (%s)", change, text)
			break
		}
	}
}

// mainRequest is the round that the story is about.
func mainRequest() rounds.Request {
	return rounds.Request{Partner: id, List: "wanted", Kind: "phone", Purpose: purpose, Learn: "both", Result: "which"}
}

// plan asks Australia's node what the round would cost and reveal.
func (s *story) plan(ctx context.Context) error {
	p, err := s.stage.members[au].Rounds().Plan(ctx, mainRequest())
	if err != nil {
		return err
	}
	s.check("items that would take part", s.truth.plan.items, p.Items)
	s.check("items that stay out by reason", s.truth.plan.excluded, tally(p.Excluded))
	s.check("size that the partner sees", s.truth.plan.class, p.Class)
	s.check("own rules allow it", true, p.Allowed)
	s.check("fewer than one wrong hit in a billion rounds", true, p.WrongHits < 1e-9)
	s.screen.say("Before anything is sent, Australia's node says what a round with Indonesia would mean.")
	s.screen.item("takes part", "%d numbers of the list \"wanted\"", p.Items)
	for _, x := range []struct{ reason, words string }{
		{"shielded", "a minor's number"}, {"never_with", "marked \"never with Indonesia\", since a source is at risk there"},
	} {
		if n := p.Excluded[x.reason]; n > 0 {
			s.screen.item("stays out", "%s: %s", few(n), x.words)
		}
	}
	s.screen.item("Australia learns", "which of its own numbers Indonesia has too")
	s.screen.item("Indonesia learns", "which of its own numbers Australia has too")
	s.screen.item("also revealed", "that the list has up to %d entries (sizes are rounded up), the purpose and the legal basis", p.Class)
	s.screen.item("own rules", "%s", sayings(p.Grounds))
	s.screen.item("Indonesia's rules", "%s", p.PartnerRules)
	s.screen.item("cost", "about %s of data and %.1f seconds of computing", bytesText(p.Bytes), p.Seconds)
	s.screen.item("wrong hits", "fewer than one in a billion rounds; a person still reviews every hit")
	s.screen.item("hits are kept", "%d days", p.Retention)
	for _, w := range p.Warnings {
		s.screen.item("NOTE", "%s", w)
	}
	return nil
}
