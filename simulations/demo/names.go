package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/node/rounds"
)

// names runs a round on persons, who are matched by similarity.
func (s *story) names(ctx context.Context) error {
	r := rounds.Request{Partner: id, List: "names", Kind: "person", Purpose: purpose, Learn: "both", Result: "which"}
	p, err := s.stage.members[au].Rounds().Plan(ctx, r)
	if err != nil {
		return err
	}
	s.check("fewer than one wrong hit expected among names", true, p.WrongHits > 0 && p.WrongHits < 1)
	ours, _, err := s.run(ctx, "persons, both learn which", r, s.truth.persons)
	if err != nil {
		return err
	}
	s.screen.say("A name is seldom written twice in the same way. Each node turns its persons into numbers: words of the name by their sound, " +
		"whatever the script, how rare they are, and the date of birth. The two nodes compare these under encryption: each learns " +
		"which of its own persons the other has somebody alike to. Nobody sees a score, or how near the others came.")
	s.screen.item("compared", "%d pairs, places that only fill the lists up counted; alike from a score of %d on", p.Pairs, ours.Threshold)
	for _, member := range []string{au, id} {
		hits, err := s.stage.members[member].Rounds().Hits(ctx, ours.ID)
		if err != nil {
			return err
		}
		slices.SortFunc(hits, func(a, b rounds.Hit) int { return strings.Compare(a.Value, b.Value) })
		rows := [][]string{{"BORN", "NAME", "OWN CASE"}}
		for _, h := range hits {
			born, name, _ := strings.Cut(h.Value, "|")
			rows = append(rows, []string{born, name, h.CaseReference})
		}
		s.screen.line("On the screen in %s:", nameOf(member))
		s.screen.table(rows...)
		s.screen.gap()
	}
	s.screen.say("Not found: Nguyen Van Thanh, who is in both lists with two birthdays, and two people who share a birthday and nothing else.")
	s.screen.item("wrong hits", "%s expected in lists of this size; many people have such a name, so a person looks at every hit", expected(p.WrongHits))
	s.screen.item("NOTE", "This works between partners who follow the protocol: a cheat could read out records. The rules of both sides said that they accept it.")
	return nil
}

func expected(n float64) string { return fmt.Sprintf("%.1g", n) }
