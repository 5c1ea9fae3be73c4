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
		"beforehand; nobody has to be awake. The strictest of both sides counts. Both sign, and only then does matching begin.")
	s.screen.item("Australia's rules", "%s", strings.Join(ours.Grounds, "; "))
	s.screen.item("Indonesia's rules", "%s", strings.Join(theirs.Grounds, "; "))
	s.screen.item("round", "%s: %s, in %.1f seconds", ours.ID, ours.State, time.Since(began).Seconds())
	s.screen.item("Australia saw", "that Indonesia takes part with up to %d entries; %s came in", ours.PartnerClass, bytesText(int64(ours.Received)))
	s.screen.item("Indonesia saw", "that Australia takes part with up to %d entries; %s came in", theirs.PartnerClass, bytesText(int64(theirs.Received)))
	s.screen.gap()
	s.screen.say("At the end both have signed one receipt: who, when, by which rules and how many bytes. It does not say what was found.")
	return nil
}

// hits shows what each side has found.
func (s *story) hits(ctx context.Context) error {
	s.screen.say("Each side sees its own records and that the other side has the same number, however that side " +
		"has written it. It does not see the other side's record, case or file. A hit is a lead and no evidence: " +
		"a person reviews it, then asks.")
	for _, member := range []string{au, id} {
		hits, err := s.stage.members[member].Rounds().Hits(ctx, s.round.ID)
		if err != nil {
			return err
		}
		slices.SortFunc(hits, func(a, b rounds.Hit) int { return strings.Compare(a.Value, b.Value) })
		rows := [][]string{{"NUMBER", "AS IT STANDS IN THE OWN FILE", "OWN LIST", "OWN CASE"}}
		for _, h := range hits {
			rows = append(rows, []string{h.Value, h.Original, h.List, h.CaseReference})
			s.check(member+": a hit shows the own record", true, h.Original != "" && h.CaseReference != "" && !h.Erased)
		}
		s.screen.line("On the screen in %s:", nameOf(member))
		s.screen.table(rows...)
		s.screen.gap()
	}
	s.screen.say("Three more numbers stand in both files and are no hits: the victim's, the minor's, and the one " +
		"that Australia never matches with Indonesia.")
	return nil
}

// others runs a count and a round on passports of which only one side learns.
func (s *story) others(ctx context.Context) error {
	r := mainRequest()
	r.Result = "count"
	ours, theirs, err := s.run(ctx, "phones, both learn how many", r, s.truth.count)
	if err != nil {
		return err
	}
	s.screen.say("How many phones do we share? A count tells neither side which. It is a way to find out whether " +
		"a round is worth asking for. Here both sides' rules allow the exact figure; otherwise noise is added to it.")
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
	s.screen.item("Indonesia sees", "that the round took place; %s", hitsText(len(found[id])))
	return nil
}

func figure(v rounds.View) string {
	if v.Count == nil {
		return "nothing"
	}
	return *v.Count + ", and no list of them"
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
	s.screen.say("Australia proposes the same round to Thailand. Three of its numbers are on Thailand's list, but Thailand's " +
		"rules forbid it for now.")
	s.screen.item("Australia sees", "%s: %s", ours.State, ours.Reason)
	s.screen.item("Thailand sees", "%s: %s", theirs.State, strings.Join(theirs.Grounds, "; "))
	s.screen.gap()
	s.screen.say("Whatever the reason, a partner hears the same two words, because the real one (a running operation, a " +
		"protected person) would say that somebody on the list is known. Thailand's own auditor finds the reason in Thailand's records.")
	s.screen.say("The two nodes exchanged %s. Searched in the same way as before: no listed value, no word of the reason.",
		bytesText(int64(size(recorded))))
	return nil
}
