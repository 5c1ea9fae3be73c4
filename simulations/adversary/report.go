package adversary

import (
	"fmt"
	"runtime"

	"entente/protocol/wire"
	"entente/simulations/measure"
)

// Report is what a sweep brought, for programs.
type Report struct {
	Name     string   `json:"name"`
	Settings Settings `json:"settings"`
	Versions Versions `json:"versions"`
	Results  Results  `json:"results"`  // the same for the same settings
	Measured Measured `json:"measured"` // different in each run
}

// Versions name what ran.
type Versions struct {
	Program  string `json:"program"`
	Protocol string `json:"protocol"`
	Go       string `json:"go"`
	Kernel   string `json:"kernel"` // arithmetic code
}

func goVersion() string { return runtime.Version() }

// Results are the outcomes of the three attacks.
type Results struct {
	Chance    float64   `json:"chance"` // that one guess, drawn blindly, is on the list
	Filter    Filter    `json:"filter"`
	Tags      Tags      `json:"tags"`
	Questions Questions `json:"questions"`
}

// Outcome is what every attack has. An item is a number of B's list.
type Outcome struct {
	Guesses   int `json:"guesses"`   // numbers that A tried
	Recovered int `json:"recovered"` // items that A names
	False     int `json:"false"`     // numbers that A names and that are on no list
	Charged   int `json:"charged"`   // places in B's books
	Ideal     int `json:"ideal"`     // items that the agreement lets A learn for these places
	Beyond    int `json:"beyond"`    // items that A names besides
	Refused   int `json:"refused"`   // chunks of questions that B refused and counted
}

// Filter is the outcome of the sweep of a Bloom filter.
type Filter struct {
	Outcome
	FalseRate float64 `json:"false_rate"` // for which the filter was made
	Bits      int     `json:"bits"`
	Hashes    int     `json:"hashes"`
}

// Tags is the outcome of the offline sweep of published tags.
type Tags struct {
	Outcome
	Published int   `json:"published"` // tags, dummies included
	Ways      []Way `json:"ways"`
	// Control is the same test with B's key, on the list and as many other numbers: it
	// must find the list, so the test can find things.
	Control Way `json:"control"`
}

// Way is one way of making tags from guesses.
type Way struct {
	Name   string `json:"name"`
	How    string `json:"how"`
	Tested int    `json:"tested"` // strings compared with the published tags
	Found  int    `json:"found"`  // of them that are published tags
}

// Questions is the outcome of the online sweep.
type Questions struct {
	Outcome
	PeriodDays int   `json:"period_days"`
	Days       []Day `json:"days"`
	// What A is told when it goes over the quota, and what when it repeats the number of
	// an old chunk with other guesses.
	OverQuota int `json:"over_quota_code"`
	OldNumber int `json:"old_number_code"`
	// A that keeps below the quota is never refused; this is how long the plan then takes.
	PlanPeriods int `json:"plan_periods"`
	PlanDays    int `json:"plan_days"`
}

// Day is what B's books say at the end of a day of the tag period.
type Day struct {
	Day     int `json:"day"` // from 1
	Used    int `json:"used"`
	Refused int `json:"refused"`
}

// Measured is what differs from run to run.
type Measured struct {
	Machine   string        `json:"machine"`
	Filter    measure.Span  `json:"filter"`
	Tags      measure.Span  `json:"tags"`
	Questions QuestionsCost `json:"questions"`
}

// QuestionsCost is the cost of the online sweep, for both sides together.
type QuestionsCost struct {
	measure.Span
	Bytes uint64 `json:"bytes"`
}

// outcome compares what A names with the list, and with the ideal for the places charged.
func (p *plan) outcome(guesses int, named map[int]bool, charged int) Outcome {
	o := Outcome{Guesses: guesses, Charged: charged}
	ideal := map[int]bool{}
	for _, n := range p.order[:min(charged, len(p.order))] {
		if p.listed[n] {
			ideal[n] = true
		}
	}
	o.Ideal = len(ideal)
	for n := range named {
		switch {
		case !p.listed[n]:
			o.False++
		case ideal[n]:
			o.Recovered++
		default:
			o.Recovered++
			o.Beyond++
		}
	}
	return o
}

// Contradictions says in what the results differ from what the design claims.
func (r Report) Contradictions() []string {
	var out []string
	claim := func(ok bool, format string, args ...any) {
		if !ok {
			out = append(out, fmt.Sprintf(format, args...))
		}
	}
	f, t, q, s := r.Results.Filter, r.Results.Tags, r.Results.Questions, r.Settings
	claim(f.Recovered == s.Held && f.Charged == 0, "the filter gave up %d of %d items for %d places", f.Recovered, s.Held, f.Charged)
	claim(t.Recovered == 0 && t.False == 0, "tags without their key gave up %d items and %d others", t.Recovered, t.False)
	for _, w := range t.Ways {
		claim(w.Found == 0, "%d published tags were found by %s", w.Found, w.How)
	}
	claim(t.Control.Found == s.Held, "with the key the test found %d of %d items", t.Control.Found, s.Held)
	claim(q.Charged <= s.Quota, "%d places were charged, agreed were %d", q.Charged, s.Quota)
	claim(q.Recovered == q.Ideal && q.Beyond == 0 && q.False == 0, "questions gave up %d items, %d besides and %d others; the ideal is %d",
		q.Recovered, q.Beyond, q.False, q.Ideal)
	claim(q.OldNumber == int(wire.Replayed), "other guesses under an old number brought code %d", q.OldNumber)
	if s.Guesses > s.Quota {
		claim(q.OverQuota == int(wire.Quota), "going over the quota brought code %d", q.OverQuota)
		claim(q.Refused == len(q.Days), "%d refusals are in the books after %d days", q.Refused, len(q.Days))
	}
	return out
}
