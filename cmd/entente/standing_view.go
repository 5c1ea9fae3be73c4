package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"entente/node/api"
	"entente/node/standing"
	"entente/protocol/terms"
)

func writeStandingPlan(w io.Writer, p standing.Plan) {
	row(w, "with", p.Partner+" ("+p.PartnerName+")")
	row(w, "own lists", fmt.Sprintf("%s: kinds %s", strings.Join(p.Lists, ", "), strings.Join(p.Kinds, ", ")))
	row(w, "own rules", allowed(p.Allowed))
	for _, g := range p.Grounds {
		row(w, "", g)
	}
	if !p.Allowed {
		return // what it would cost and reveal does not matter
	}
	row(w, "partner sees", fmt.Sprintf("the size class %d and when something comes or goes, never the list", p.Class))
	row(w, "we learn", learnt(p.Learns.Us))
	row(w, "they learn", learnt(p.Learns.Them))
	row(w, "runs", fmt.Sprintf("every %s until %s, with a new key every %s", span(p.Every), when(p.Until), span(p.Period)))
	row(w, "questions", fmt.Sprintf("%d in a tag period and %d urgent checks a day, for each side", p.Questions, p.Checks))
	if p.Learns.Them == terms.IDs {
		row(w, "guesses", fmt.Sprintf("a partner who cheats can test %d values of its choice against the list in a tag period", p.Guesses))
	}
	row(w, "to send", fmt.Sprintf("about %s in a tag period's first run, %s in a run without changes", size(p.FirstBytes), size(p.DailyBytes)))
	row(w, "computing", computing(p.FirstSeconds)+" of processor time in a tag period's first run, on a machine with AVX-512")
	row(w, "wrong hits", wrongHits(p.WrongHits)+" in a tag period; every hit still needs a person's review")
	row(w, "hits are kept", fmt.Sprintf("%d days", p.Retention))
	for _, warning := range p.Warnings {
		row(w, "NOTE", warning)
	}
}

func writeStanding(w io.Writer, v standing.View) {
	row(w, "standing round", v.ID)
	row(w, "with", v.Partner)
	row(w, "state", v.State)
	if v.Reason != "" {
		row(w, "reason", v.Reason)
	}
	if v.Note != "" {
		row(w, "note", v.Note)
	}
	row(w, "kinds", strings.Join(v.Kinds, ", "))
	if len(v.Lists) > 0 {
		row(w, "own lists", strings.Join(v.Lists, ", "))
	}
	row(w, "purpose", v.Purpose)
	row(w, "we learn", learnt(v.Learns.Us))
	row(w, "they learn", learnt(v.Learns.Them))
	row(w, "runs", fmt.Sprintf("every %s until %s, with a new key every %s", span(v.Every), when(v.Expires), span(v.Period)))
	row(w, "last run", whenever(v.LastRun))
	row(w, "next run", whenever(v.Next))
	writeWork(w, v)
	for _, g := range v.Grounds {
		row(w, "own rules", g)
	}
	if next := nextStep(v); next != "" {
		row(w, "next", next)
	}
}

// writeWork says what the runs have done.
func writeWork(w io.Writer, v standing.View) {
	if v.Learns.Us == terms.IDs {
		row(w, "hits", fmt.Sprintf("%d, of which %d are new", v.Hits, v.NewHits))
		row(w, "own questions", fmt.Sprintf("%d wait for the next run or tag period", v.Waiting))
	}
	if v.Learns.Them == terms.IDs {
		text := fmt.Sprintf("%d of %d answered in this tag period", v.Asked, v.Questions)
		if v.Refused > 0 {
			text += fmt.Sprintf(", %d times refused since the quota was used up", v.Refused)
		}
		row(w, "their questions", text)
	}
	row(w, "urgent checks", fmt.Sprintf("%d a day for each side", v.Checks))
	if v.TagEnds != nil {
		row(w, "tag period ends", when(*v.TagEnds))
	}
	if v.Removed != nil {
		row(w, "partner's receipt", fmt.Sprintf("of run %d, %s", v.Removed.Run, when(v.Removed.Time)))
		row(w, "", v.Removed.Meaning)
	}
	row(w, "bytes", fmt.Sprintf("%s sent, %s received", size(int64(v.Sent)), size(int64(v.Received))))
}

// nextStep is what a person can do.
func nextStep(v standing.View) string {
	switch {
	case v.State == "waiting" && !v.Proposer:
		return "A person here decides: entente round approve or entente round refuse"
	case v.NewHits > 0:
		return "A hit is a lead, not evidence: review each with entente hit list --round " + v.ID
	case v.State == "paused":
		return "It goes on when a person here says so: entente round resume"
	}
	return ""
}

// writeStandingTable is shown after the table of single rounds; without standing rounds
// nothing is.
func writeStandingTable(w io.Writer, entries []api.Entry) {
	first := true
	for _, e := range entries {
		v := e.Standing
		if v == nil {
			continue
		}
		if first {
			fmt.Fprintln(w)
			row(w, "STANDING ROUND", "WITH", "ASKED BY", "STATE", "KINDS", "WE LEARN", "THEY LEARN", "NEXT RUN", "LAST RUN", "NEW HITS", "UNTIL")
			first = false
		}
		row(w, v.ID, v.Partner, by(v.Proposer), v.State, strings.Join(v.Kinds, ","), briefly(v.Learns.Us), briefly(v.Learns.Them),
			whenever(v.Next), whenever(v.LastRun), v.NewHits, when(v.Expires))
	}
}

// alert tells of hits that nobody has looked at.
func (a *app) alert(v standing.View) {
	if v.NewHits > 0 {
		a.say("NEW HITS: %d in the standing round with %s; look at them with: entente hit list --dir %s --round %s",
			v.NewHits, v.Partner, a.dir, v.ID)
	}
}

func by(us bool) string {
	if us {
		return "us"
	}
	return "them"
}

// whenever writes a time that may not have come.
func whenever(t *time.Time) string {
	if t == nil {
		return "–"
	}
	return when(*t)
}

// span writes a length of time for people: whole days and hours where it has them.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
