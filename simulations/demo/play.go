package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"entente/node/rounds"
)

// patience is how long a round of this size may take on a slow machine.
const patience = 60 * time.Second

// run proposes a round from Australia, waits for both sides and notes its outcome
// beside the planted one.
func (s *story) run(ctx context.Context, title string, r rounds.Request, want outcome) (ours, theirs rounds.View, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	proposed, err := s.stage.members[au].Rounds().Propose(ctx, r)
	if err != nil {
		return ours, theirs, fmt.Errorf("propose: %w", err)
	}
	out := Round{
		ID: proposed.ID, Title: title, Proposer: au, Responder: r.Partner, Kind: r.Kind, Learn: r.Learn, Result: r.Result,
		Hits: map[string][]string{}, Expected: want.hits, Counts: map[string]string{}, ExpectedCounts: want.counts,
		States: map[string]string{}, ExpectedStates: want.states,
	}
	for _, side := range []struct {
		member string
		view   *rounds.View
	}{{au, &ours}, {r.Partner, &theirs}} {
		service := s.stage.members[side.member].Rounds()
		if *side.view, err = service.Wait(ctx, proposed.ID); err != nil {
			return ours, theirs, fmt.Errorf("wait for %s: %w", side.member, err)
		}
		hits, err := service.Hits(ctx, proposed.ID)
		if err != nil {
			return ours, theirs, fmt.Errorf("read the hits of %s: %w", side.member, err)
		}
		out.States[side.member] = side.view.State
		out.Hits[side.member] = values(hits)
		if side.view.Count != nil {
			out.Counts[side.member] = *side.view.Count
		}
	}
	s.doc.Rounds = append(s.doc.Rounds, out)
	s.check(title+": the outcome is the planted one", true, out.right())
	return ours, theirs, nil
}

// values are the canonical values of hits, ascending.
func values(hits []rounds.Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.Value)
	}
	slices.Sort(out)
	return out
}

// match runs the main round.
func (s *story) match(ctx context.Context) error {
	began := time.Now()
	ours, theirs, err := s.run(ctx, "phones, both learn which", mainRequest(), s.truth.phones)
	if err != nil {
		return err
	}
	s.round = ours
	s.screen.say("Australia signs an offer. Indonesia's node asks its own rules, which its policy officer wrote " +
		"beforehand. These rules ask for nobody's approval, so the answer comes at once; where the two sides differ, the stricter " +
		"rule counts. Matching begins when both have signed.")
	s.screen.item("Australia's rules", "%s", sayings(ours.Grounds))
	s.screen.item("Indonesia's rules", "%s", sayings(theirs.Grounds))
	s.screen.item("round", "%s: %s, in %.1f seconds", ours.ID, ours.State, time.Since(began).Seconds())
	s.screen.item("Australia saw", "that Indonesia takes part with up to %d entries; %s came in", ours.PartnerClass, bytesText(int64(ours.Received)))
	s.screen.item("Indonesia saw", "that Australia takes part with up to %d entries; %s came in", theirs.PartnerClass, bytesText(int64(theirs.Received)))
	s.screen.say("At the end both have signed one receipt: who, when, by which rules and how many bytes. It does not say what was found.")
	return nil
}

// shownHits are shown on the screen for each side; the document has all.
const shownHits = 6

// hits shows what each side has found.
func (s *story) hits(ctx context.Context) error {
	s.screen.say("Each side sees its own records, and that the other side has the same number, however it is written there. " +
		"It sees nothing of the other side's record, case or file. A hit is a lead, not evidence: a person reviews it and then asks.")
	for _, member := range []string{au, id} {
		hits, err := s.stage.members[member].Rounds().Hits(ctx, s.round.ID)
		if err != nil {
			return err
		}
		slices.SortFunc(hits, func(a, b rounds.Hit) int { return strings.Compare(a.Value, b.Value) })
		rows := [][]string{{"NUMBER", "AS IT STANDS IN THE OWN FILE", "OWN LIST", "OWN CASE"}}
		for i, h := range hits {
			s.check(member+": a hit shows the own record", true, h.Original != "" && h.CaseReference != "" && !h.Erased)
			if i >= shownHits {
				continue
			}
			rows = append(rows, []string{h.Value, h.Original, h.List, h.CaseReference})
		}
		s.screen.line("On the screen in %s:", nameOf(member))
		s.screen.table(rows...)
		if more := len(hits) - shownHits; more > 0 {
			s.screen.line("  and %d more", more)
		}
		s.screen.gap()
	}
	both, err := s.overlap(id)
	if err != nil {
		return err
	}
	s.screen.say("%s more numbers stand in both files and are no hits: the victim's, the minor's, and the one "+
		"that Australia never matches with Indonesia.", first(few(both-len(s.doc.Rounds[0].Hits[au]))))
	return nil
}

// overlap counts the values that stand both in Australia's messy file and in a
// partner's, whatever may take part. Nobody but the story's author knows both files.
func (s *story) overlap(partner string) (int, error) {
	lists := map[string]map[string]bool{}
	for _, f := range sources() {
		if f.list != "wanted" && f.list != "watch" {
			continue
		}
		values, err := f.values()
		if err != nil {
			return 0, err
		}
		lists[f.member] = map[string]bool{}
		for _, v := range values {
			lists[f.member][v.value.Canonical()] = true
		}
	}
	n := 0
	for v := range lists[partner] {
		if lists[au][v] {
			n++
		}
	}
	s.check("values in the files of both AU and "+partner, s.truth.overlaps[partner], n)
	return n, nil
}

// others runs a count and a round on passports of which only one side learns.
func (s *story) others(ctx context.Context) error {
	r := mainRequest()
	r.Result = "count"
	ours, theirs, err := s.run(ctx, "phones, both learn how many", r, s.truth.count)
	if err != nil {
		return err
	}
	s.screen.say("How many phones do we share? A count tells neither side which ones. Here the rules of both sides allow the " +
		"exact figure; without that, the node blurs it by chance, so that one number more or less cannot be told.")
	s.screen.item("Australia sees", "%s", figure(ours))
	s.screen.item("Indonesia sees", "%s", figure(theirs))
	s.screen.gap()
	r = rounds.Request{Partner: id, List: "papers", Kind: "document", Purpose: purpose, Learn: "us", Result: "which"}
	if _, _, err = s.run(ctx, "passports, only Australia learns which", r, s.truth.papers); err != nil {
		return err
	}
	found := s.doc.Rounds[len(s.doc.Rounds)-1].Hits
	s.screen.say("Which of our passports does Indonesia have? Australia asks to learn it alone, and Indonesia's rules let it.")
	s.screen.item("Australia sees", "%s", strings.Join(found[au], ", "))
	s.screen.item("Indonesia sees", "that the round took place, and %s", hitsText(len(found[id])))
	return nil
}

// sayings puts what the rules said about a round into sentences.
func sayings(grounds []string) string {
	var out []string
	for _, g := range grounds {
		verb, title, ok := strings.Cut(g, ": ")
		verb, known := map[string]string{"allows": "allowed by", "forbids": "forbidden by"}[verb]
		if ok && known {
			g = verb + " the rule \"" + strings.Replace(title, " (", "\" (", 1)
		}
		out = append(out, g)
	}
	return strings.Join(out, "; ")
}

func figure(v rounds.View) string {
	if v.Count == nil {
		return "nothing"
	}
	return *v.Count + ", not which"
}

func hitsText(n int) string {
	if n == 0 {
		return "no hits"
	}
	return fmt.Sprintf("%d hits", n)
}

// refusal asks the member whose rules forbid it.
func (s *story) refusal(ctx context.Context) error {
	r := mainRequest()
	r.Partner = th
	ours, theirs, err := s.run(ctx, "phones, refused", r, s.truth.refused)
	if err != nil {
		return err
	}
	recorded := s.recorder.with(th)
	told := contains(recorded, s.truth.title) || strings.Contains(fmt.Sprint(ours), s.truth.title)
	s.check("Australia is told", "not available", ours.Reason)
	s.check("Thailand knows the rule that refused", true, strings.Contains(strings.Join(theirs.Grounds, " "), s.truth.title))
	s.check("Thailand's reason reached Australia", false, told)
	seen, err := s.search(recorded)
	if err != nil {
		return err
	}
	s.check("listed values on the line to Thailand", 0, seen.listed)
	both, err := s.overlap(th)
	if err != nil {
		return err
	}
	s.screen.say("Australia proposes the same round to Thailand. %s of its numbers are on Thailand's list, but a rule of "+
		"Thailand forbids the round for now.", first(few(both)))
	s.screen.item("Australia sees", "%s: %s", ours.State, ours.Reason)
	s.screen.item("Thailand sees", "%s: %s", theirs.State, sayings(theirs.Grounds))
	s.screen.say("A partner hears the same two words whatever the reason is. The real one, such as a running operation or a " +
		"protected person, would tell that somebody on the list is known. It stays in Thailand's own records, where Thailand's auditor finds it.")
	s.screen.say("The two nodes exchanged %s. The same search finds in it %s of the listed entries, and the reason %s.",
		bytesText(int64(size(recorded))), few(seen.listed), map[bool]string{true: "IS THERE", false: "is not there"}[told])
	return nil
}
