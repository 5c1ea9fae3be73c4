package rounds_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"entente/node"
	"entente/node/rounds"
	"entente/node/store"
	"entente/protocol/indicator"
	"entente/protocol/names"
	"entente/protocol/person"
	"entente/protocol/round"
	"entente/protocol/similar"
	"entente/protocol/terms"
	"entente/protocol/wire"
)

// persons imports persons, a row for each: date of birth, a stroke, the name.
func (w *world) persons(id, name string, rows ...string) {
	w.t.Helper()
	w.edit(id, func(n *node.Node) {
		i := node.Import{List: name, File: name + ".csv"}
		i.Kind = indicator.Person
		i.Handling = indicator.Handling{Category: "suspect", Purpose: "trafficking", Basis: id + "-TIP"}
		report, err := n.ImportList(w.t.Context(), i, lines("person", rows))
		must(w.t, err)
		if report.Ready != len(rows) {
			w.t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(rows), report.Reasons)
		}
	})
}

// strangers are persons that are alike with nobody here.
func strangers(seed string, n int) (rows []string) {
	for i := range n {
		rows = append(rows, fmt.Sprintf("%d-%02d-%02d|%s%c%c %s%c", 1950+i%40, 1+i*5%12, 2+i*7%26, seed, 'a'+i%26, 'k'+i%9, "or"+seed, 'b'+i%20))
	}
	return rows
}

// suspects are a pair's persons: two under another spelling on the other side, one there with a
// look-alike only.
func suspects() (au, id []string) {
	au = append(strangers("zw", 5), "1985-03-12|Mohammed Al-Sayed Hussein", "1979-11-30|Наталья Кузнецова", "1990-07-04|Nguyen Van Thanh")
	id = append(strangers("qj", 5), "1985-03-12|محمد السيد حسين", "1979-11-30|Natalia Kuznetsova", "1962-01-19|Nguyen Van Thanh")
	return au, id
}

func namesRequest(partner string) rounds.Request {
	return rounds.Request{Partner: partner, List: "names", Kind: "person", Purpose: "trafficking", Learn: "both", Result: "which"}
}

// newNames starts two members with persons.
func newNames(t *testing.T, rules rulesOf) (w *world, au, id *side) {
	t.Helper()
	w = newWorld(t, rules, "AU", "ID")
	a, b := suspects()
	w.persons("AU", "names", a...)
	w.persons("ID", "names", b...)
	return w, w.fresh("AU"), w.fresh("ID")
}

func births(found []string) (out []string) {
	for _, v := range found {
		born, _, _ := strings.Cut(v, "|")
		out = append(out, born)
	}
	return out
}

func TestNamesInTwoScripts(t *testing.T) {
	cases := map[string][2]bool{"both": {true, true}, "us": {true, false}, "them": {false, true}}
	if testing.Short() {
		cases = map[string][2]bool{"both": {true, true}}
	}
	for learn, who := range cases {
		synctest.Test(t, func(t *testing.T) {
			w, au, id := newNames(t, pilot)
			r := namesRequest("ID")
			r.Learn = learn
			plan, err := au.Plan(t.Context(), r)
			must(t, err)
			if plan.Threshold != person.DefaultThreshold || plan.Pairs != 64*64 || plan.PairsLeft != similar.MaxPairs || plan.WrongHits <= 0 || plan.WrongHits > 1 {
				t.Errorf("%s: the plan is %+v", learn, plan)
			}
			name := w.propose(au, r)
			for i, s := range []*side{au, id} {
				v := w.wait(s, name)
				if v.State != "done" || v.Threshold != person.DefaultThreshold || (v.Hits != nil) != who[i] {
					t.Fatalf("%s: %s: the round is %+v", learn, s.id, v)
				}
				want := []string{}
				if who[i] {
					want = []string{"1979-11-30", "1985-03-12"}
				}
				if got := births(w.values(s, name)); !slices.Equal(got, want) {
					t.Errorf("%s: %s found those born on %v", learn, s.id, got)
				}
				partner := map[string]string{"AU": "ID", "ID": "AU"}[s.id]
				if n := w.counter(s, partner, "pairs 2030-01"); n != 64*64 {
					t.Errorf("%s: %s has counted %d pairs", learn, s.id, n)
				}
			}
			w.halt(au, id)
			if a, b := w.audited(au.dir), w.audited(id.dir); len(a) != 1 || len(b) != 1 {
				t.Errorf("%s: %d and %d receipts", learn, len(a), len(b))
			}
		})
	}
}

// An auditor recomputes both sides of a round from what they open; a vector that was not what was
// agreed to be asked about shows. What can be opened goes with the hits.
func TestOpenings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, pilot)
		name := w.propose(au, namesRequest("ID"))
		w.wait(au, name)
		w.wait(id, name)
		opened := func(s *side, witness bool) []byte {
			b, err := s.Opening(t.Context(), name, witness)
			must(t, err)
			return b
		}
		asker, answerer, witness := opened(au, false), opened(id, false), opened(id, true)
		for what, files := range map[string][2][]byte{"both": {asker, answerer}, "other order": {answerer, asker}, "witness": {asker, witness}} {
			found, err := id.CompareOpenings(t.Context(), files[0], files[1])
			must(t, err)
			if want := map[string]int{"witness": 1}[what]; want == 0 && len(found) != 2 || want > 0 && len(found) != want {
				t.Errorf("%s: %d findings", what, len(found))
			}
			for _, f := range found {
				if !f.Agrees {
					t.Errorf("%s: %s: %s", what, f.Member, f.Message)
				}
			}
		}
		altered := func(b []byte, change func(*rounds.Opening)) []byte {
			var x rounds.Opening
			must(t, wire.Unmarshal(b, &x))
			change(&x)
			out, err := wire.Marshal(x)
			must(t, err)
			return out
		}
		for what, c := range map[string]struct {
			a, b   []byte
			liar   string
			refuse bool
		}{
			"another probe":          {altered(asker, func(x *rounds.Opening) { x.Vectors[1500]++ }), answerer, "AU", false},
			"a probe left out":       {altered(asker, func(x *rounds.Opening) { x.Vectors = x.Vectors[1024:] }), answerer, "AU", false},
			"a probe out of bounds":  {altered(asker, func(x *rounds.Opening) { x.Vectors[0], x.Vectors[1], x.Vectors[2] = 127, 127, 127 }), answerer, "AU", false},
			"another template":       {asker, altered(answerer, func(x *rounds.Opening) { x.Vectors[1500]++ }), "ID", false},
			"the asker as a witness": {opened(au, true), answerer, "", true},
			"another secret":         {altered(asker, func(x *rounds.Opening) { x.Secret[0]++ }), answerer, "AU", false},
			"another signature":      {altered(asker, func(x *rounds.Opening) { x.Confirm[5]++ }), answerer, "", true},
			"one side twice":         {asker, asker, "", true},
			"no opening":             {[]byte("x"), answerer, "", true},
		} {
			found, err := au.CompareOpenings(t.Context(), c.a, c.b)
			if (err != nil) != c.refuse {
				t.Errorf("%s: %v", what, err)
			}
			for _, f := range found {
				if f.Agrees == (f.Member == c.liar) && (c.liar == f.Member || c.liar == "ID") {
					t.Errorf("%s: %s: %s", what, f.Member, f.Message)
				}
			}
			if !c.refuse && !slices.ContainsFunc(found, func(f rounds.Recomputed) bool { return !f.Agrees }) {
				t.Errorf("%s: nobody is found out", what)
			}
		}
		if text := fmt.Sprintf("%v %+v %#v", rounds.Opening{Secret: []byte("hidden")}, rounds.Opening{Secret: []byte("hidden")}, rounds.Opening{Secret: []byte("hidden")}); strings.Contains(text, "hidden") {
			t.Error("an opening prints its secret")
		}
		w.halt(au, id)
		<-time.After(91 * 24 * time.Hour)
		au = w.start("AU", au.dir)
		<-time.After(2 * time.Minute)
		if _, err := au.Opening(t.Context(), name, false); !errors.Is(err, rounds.ErrNoEvidence) {
			t.Errorf("after the hits were erased: %v", err)
		}
		n, err := au.store.DropStraySnapshots(t.Context())
		if err != nil || n != 0 {
			t.Errorf("%d snapshots are left: %v", n, err)
		}
		w.halt(au)
	})
}

// Longer lists meet by keys first; the result is the same, the pairs that are counted are the most
// candidates that there may be, and both sides' parts can be recomputed.
func TestNamesByKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		a, b := suspects()
		w.persons("AU", "names", append(a, strangers("xv", 560)...)...)
		w.persons("ID", "names", append(b, strangers("ug", 560)...)...)
		au, id := w.fresh("AU"), w.fresh("ID")
		plan, err := au.Plan(t.Context(), namesRequest("ID"))
		must(t, err)
		bound := int64(names.Bound(640, 640))
		if plan.Pairs != bound || plan.Bytes < 1<<20 || plan.Seconds <= 0 || !slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "keys") }) {
			t.Errorf("the plan is %+v", plan)
		}
		w.net.arm(40) // in the middle, both machines go down
		name := w.propose(au, namesRequest("ID"))
		<-w.net.stopped
		w.net.halt()
		w.halt(au, id)
		w.net.heal()
		au, id = w.start("AU", au.dir), w.start("ID", id.dir)
		for _, s := range []*side{au, id} {
			v := w.wait(s, name)
			if v.State != "done" {
				t.Fatalf("%s: the round is %s: %s", s.id, v.State, v.Note)
			}
			if got := births(w.values(s, name)); !slices.Equal(got, []string{"1979-11-30", "1985-03-12"}) {
				t.Errorf("%s found those born on %v", s.id, got)
			}
			if n := w.counter(s, map[string]string{"AU": "ID", "ID": "AU"}[s.id], "pairs 2030-01"); n != bound {
				t.Errorf("%s has counted %d pairs", s.id, n)
			}
		}
		asker, err := au.Opening(t.Context(), name, false)
		must(t, err)
		answerer, err := id.Opening(t.Context(), name, false)
		must(t, err)
		found, err := au.CompareOpenings(t.Context(), asker, answerer)
		must(t, err)
		for _, f := range found {
			if !f.Agrees {
				t.Errorf("%s: %s", f.Member, f.Message)
			}
		}
		w.halt(au, id)
	})
}

// counter is one of a member's counters with a partner.
func (w *world) counter(s *side, partner, name string) (n int64) {
	w.t.Helper()
	must(w.t, s.store.View(w.t.Context(), func(tx *store.Tx) (err error) {
		n, err = tx.Quota(partner, name)
		return err
	}))
	return n
}

// A round goes on after the line was cut in any place, with the same result and counted once.
func TestNamesAfterCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, pilot)
		frames := 0
		for k := 6; k < 60; k += 9 {
			w.net.arm(k)
			name := w.propose(au, namesRequest("ID"))
			select {
			case <-w.net.stopped:
			case <-time.After(time.Minute):
			}
			synctest.Wait()
			w.net.heal()
			for _, s := range []*side{au, id} {
				if v := w.wait(s, name); v.State != "done" || len(w.values(s, name)) != 2 {
					t.Fatalf("cut at frame %d: %s: the round is %s: %s", k, s.id, v.State, v.Note)
				}
			}
			frames++
		}
		w.net.arm(30) // both machines go down in the middle
		name := w.propose(au, namesRequest("ID"))
		<-w.net.stopped
		w.net.halt()
		w.halt(au, id)
		w.net.heal()
		au, id = w.start("AU", au.dir), w.start("ID", id.dir)
		for _, s := range []*side{au, id} {
			if v := w.wait(s, name); v.State != "done" || len(w.values(s, name)) != 2 {
				t.Fatalf("after both went down: %s: the round is %s: %s", s.id, v.State, v.Note)
			}
		}
		frames++
		for _, p := range [][2]string{{"AU", "ID"}, {"ID", "AU"}} {
			s := map[string]*side{"AU": au, "ID": id}[p[0]]
			if n := w.counter(s, p[1], "pairs 2030-01"); n != int64(frames)*64*64 {
				t.Errorf("%s: %d pairs are counted in %d rounds", p[0], n, frames)
			}
		}
		w.halt(au, id)
	})
}

// One threshold a month and partner: an own request for another is turned down with the reason,
// a partner's offer above it with none.
func TestOneThresholdAMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, pilot)
		r := namesRequest("ID")
		r.Threshold = 2500
		if v := w.wait(au, w.propose(au, r)); v.State != "done" || v.Threshold != 2500 {
			t.Fatalf("the round is %s with threshold %d", v.State, v.Threshold)
		}
		r.Threshold = 2501
		if _, err := au.Propose(t.Context(), r); err == nil || !strings.Contains(err.Error(), "2500") {
			t.Errorf("another threshold in the same month: %v", err)
		}
		r.Threshold = 0
		if v := w.wait(au, w.propose(au, r)); v.State != "done" || v.Threshold != 2500 {
			t.Errorf("no threshold named: %s with %d", v.State, v.Threshold)
		}
		if v := w.wait(id, w.propose(id, namesRequest("AU"))); v.State != "done" || v.Threshold != 2500 {
			t.Errorf("the other direction: %s with %d", v.State, v.Threshold)
		}
		w.halt(au, id)
		<-time.After(31 * 24 * time.Hour)
		au, id = w.start("AU", au.dir), w.start("ID", id.dir)
		r.Threshold = 2600
		if v := w.wait(au, w.propose(au, r)); v.State != "done" || v.Threshold != 2600 {
			t.Errorf("the next month: %s with %d", v.State, v.Threshold)
		}
		w.halt(au, id)
	})
}

func thresholdCounter() string {
	model := similar.NameModel(fmt.Sprintf("person/%d", person.Version))
	return fmt.Sprintf("threshold %x %s", model, time.Now().UTC().Format("2006-01"))
}

// The month's pairs are a limit on both sides, and an offer above the month's threshold is not
// available.
func TestPairsOfAMonth(t *testing.T) {
	for name, c := range map[string]struct {
		at      string
		counter string
		used    int64
		done    bool
	}{
		"just enough":                {"ID", "pairs 2030-01", similar.MaxPairs - 64*64, true},
		"one too few at the partner": {"ID", "pairs 2030-01", similar.MaxPairs - 64*64 + 1, false},
		"one too few here":           {"AU", "pairs 2030-01", similar.MaxPairs - 64*64 + 1, false},
		"lower threshold before":     {"ID", "", 2000, false},
		"higher threshold before":    {"ID", "", person.DefaultThreshold + 1, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, au, id := newNames(t, replaced("context.pairs_today + context.pairs <= 100000000", "context.pairs >= 0"))
			s, partner := id, "AU"
			if c.at == "AU" {
				s, partner = au, "ID"
			}
			counter := c.counter
			if counter == "" {
				counter = thresholdCounter()
			}
			must(t, s.store.Update(t.Context(), func(tx *store.Tx) error { return tx.AddQuota(partner, counter, c.used) }))
			v := w.wait(au, w.propose(au, namesRequest("ID")))
			if (v.State == "done") != c.done {
				t.Errorf("%s: the round is %s: %s %s", name, v.State, v.Reason, v.Note)
			}
			if !c.done && c.at == "ID" && (v.State != "refused" || v.Reason != wire.NotAvailable.String()) {
				t.Errorf("%s: the round is %s: %s", name, v.State, v.Reason)
			}
			w.halt(au, id)
		})
	}
}

// Only a rule that says from which score opens similarity, and nobody counts similar records.
func TestSimilarityMustBeOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, replaced(`@min_score("2000")`, ""))
		if _, err := au.Propose(t.Context(), namesRequest("ID")); !errors.Is(err, rounds.ErrDenied) {
			t.Errorf("without a rule: %v", err)
		}
		r := namesRequest("ID")
		r.Result = "count"
		if _, err := au.Plan(t.Context(), r); err == nil {
			t.Error("similar records are counted")
		}
		w.halt(au, id)
	})
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, func(of string, partners []string) map[string][]byte {
			if of == "ID" {
				return replaced(`@min_score("2000")`, `@min_score("3500")`)(of, partners)
			}
			return pilot(of, partners)
		})
		v := w.wait(au, w.propose(au, namesRequest("ID")))
		if v.State != "done" || v.Threshold != 3500 {
			t.Errorf("the partner's rules want 3500: the round is %s with threshold %d", v.State, v.Threshold)
		}
		w.halt(au, id)
	})
}

// A limit of the rules on pairs counts what both lists really have, on either side: nothing
// of it is known when the offer is made.
func TestRulesOnPairs(t *testing.T) {
	for strict, state := range map[string]string{"ID": "refused", "AU": "cancelled", "nobody": "done"} {
		synctest.Test(t, func(t *testing.T) {
			w, au, id := newNames(t, func(of string, partners []string) map[string][]byte {
				limit := "4096"
				if of == strict {
					limit = "4095"
				}
				return replaced("context.pairs_today + context.pairs <= 100000000", "context.pairs_today + context.pairs <= "+limit)(of, partners)
			})
			if v := w.wait(au, w.propose(au, namesRequest("ID"))); v.State != state {
				t.Errorf("%s is strict: the round is %s: %s %s", strict, v.State, v.Reason, v.Note)
			}
			w.halt(au, id)
		})
	}
}

// A list that is deleted leaves no copy for auditors behind.
func TestDeletedListLeavesNoEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, au, id := newNames(t, pilot)
		name := w.propose(au, namesRequest("ID"))
		w.wait(au, name)
		w.wait(id, name)
		must(t, au.ForgetList(t.Context(), "another"))
		if _, err := au.Opening(t.Context(), name, true); err != nil {
			t.Errorf("another list was deleted: %v", err)
		}
		must(t, au.ForgetList(t.Context(), "names"))
		if _, err := au.Opening(t.Context(), name, true); !errors.Is(err, rounds.ErrNoEvidence) {
			t.Errorf("the list was deleted: %v", err)
		}
		must(t, au.store.Update(t.Context(), func(tx *store.Tx) error {
			l, err := tx.ListByName("names")
			if err != nil {
				return err
			}
			return tx.DeleteList(l.ID)
		}))
		if got := w.wait(au, name); got.State != "done" || *got.Hits != 2 {
			t.Errorf("the round is %s with hits %v", got.State, got.Hits)
		}
		w.halt(au, id)
	})
}

// Offers of similar vectors that no honest side makes.
func TestSimilarOffersThatAreNotWhatTheyShouldBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		_, b := suspects()
		w.persons("ID", "names", b...)
		id := w.fresh("ID")
		p := w.puppet("AU", id)
		p.stream.Reset()
		good := similar.Terms{Commitment: [32]byte{1}, Model: similar.NameModel(fmt.Sprintf("person/%d", person.Version)), Dimension: person.Dimensions, Threshold: person.DefaultThreshold}
		for name, c := range map[string]struct {
			change func(*round.Offer)
			code   wire.Code
		}{
			"another model":                 {with(good, func(x *similar.Terms) { x.Model[0]++ }), wire.UnsupportedVersion},
			"another dimension":             {with(good, func(x *similar.Terms) { x.Dimension = 512 }), wire.UnsupportedVersion},
			"no threshold":                  {with(good, func(x *similar.Terms) { x.Threshold = 0 }), wire.Malformed},
			"short":                         {func(o *round.Offer) { o.Suites[0].Public = good.Marshal()[1:] }, wire.Malformed},
			"suite for equality":            {func(o *round.Offer) { o.Suites = p.offer().Suites }, wire.UnsupportedVersion},
			"counted":                       {func(o *round.Offer) { o.Asked.Responder, o.Granted.Responder = terms.Count, terms.Count }, wire.Malformed},
			"as a kind that is not similar": {func(o *round.Offer) { o.Kind = "phone" }, wire.UnsupportedVersion},
		} {
			o := p.offer()
			o.Kind, o.Suites = "person", []round.SuiteKey{{Name: similar.Name, Public: good.Marshal()}}
			c.change(&o)
			p.dial(0)
			p.refused(name, p.signed(o), c.code)
		}
		w.halt(id)
	})
}

func with(x similar.Terms, change func(*similar.Terms)) func(*round.Offer) {
	change(&x)
	return func(o *round.Offer) { o.Suites[0].Public = x.Marshal() }
}

// portrait is a random face, and one that is as far from it as a number says.
func portrait(r *rand.Rand, from []float64, away float64) []float64 {
	out := make([]float64, 128)
	for i := range out {
		out[i] = r.NormFloat64()
		if from != nil {
			out[i] = from[i] + away*out[i]
		}
	}
	return out
}

// faces imports vectors, a list for each model.
func (w *world) faces(id, list, model string, vectors ...[]float64) {
	w.t.Helper()
	var rows []string
	for _, v := range vectors {
		rows = append(rows, strings.Trim(fmt.Sprint(v), "[]"))
	}
	w.edit(id, func(n *node.Node) {
		i := node.Import{List: list, File: list + ".csv"}
		i.Kind = indicator.Face
		i.Defaults.Model = model
		i.Handling = indicator.Handling{Category: "suspect", Purpose: "trafficking", Basis: id + "-TIP"}
		report, err := n.ImportList(w.t.Context(), i, lines("face", rows))
		must(w.t, err)
		if report.Ready != len(rows) {
			w.t.Fatalf("%d of %d rows are ready: %v", report.Ready, len(rows), report.Reasons)
		}
	})
}

// Faces are compared within one model, from a cosine on that somebody has to name.
func TestFaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, pilot, "AU", "ID")
		r := rand.New(rand.NewPCG(1, 2))
		known := [][]float64{portrait(r, nil, 0), portrait(r, nil, 0), portrait(r, nil, 0)}
		w.faces("AU", "portraits", "arc-1", append(known, portrait(r, nil, 0))...)
		w.faces("AU", "portraits", "arc-2", portrait(r, nil, 0))
		w.faces("ID", "watch", "arc-1", portrait(r, known[1], 0.5), portrait(r, known[2], 4), portrait(r, nil, 0))
		w.faces("ID", "watch", "arc-3", portrait(r, known[0], 0.1))
		au, id := w.fresh("AU"), w.fresh("ID")
		ask := rounds.Request{Partner: "ID", List: "portraits", Kind: "face", Purpose: "trafficking", Learn: "both", Result: "which", Threshold: 6450}
		if _, err := au.Propose(t.Context(), ask); err == nil || !strings.Contains(err.Error(), "--model") {
			t.Errorf("two models: %v", err)
		}
		ask.Model = "arc-1"
		ask.Threshold = 0
		if _, err := au.Propose(t.Context(), ask); err == nil || !strings.Contains(err.Error(), "--threshold") {
			t.Errorf("no threshold: %v", err)
		}
		ask.Threshold = 6450
		plan, err := au.Plan(t.Context(), ask)
		must(t, err)
		if plan.Items != 4 || plan.Excluded[store.ExcludedOther] != 1 || plan.WrongHits <= 0 || !slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "research") }) {
			t.Errorf("the plan is %+v", plan)
		}
		name := w.propose(au, ask)
		for _, s := range []*side{au, id} {
			if v := w.wait(s, name); v.State != "done" {
				t.Fatalf("%s: the round is %s: %s", s.id, v.State, v.Note)
			}
			hits, err := s.Hits(t.Context(), name)
			must(t, err)
			if len(hits) != 1 || hits[0].Value != "arc-1/128" || hits[0].Original != "" {
				t.Errorf("%s: hits %+v", s.id, hits)
			}
		}
		ask.Model = "arc-2" // of which the partner has none: it says no more than that
		if v := w.wait(au, w.propose(au, ask)); v.State != "refused" || v.Reason != wire.NotAvailable.String() {
			t.Errorf("a model that the partner does not have: %s: %s", v.State, v.Reason)
		}
		w.halt(au, id)
	})
}

func TestSuiteNames(t *testing.T) {
	if similar.Name != round.SimilarSuite {
		t.Errorf("%s and %s are one suite", similar.Name, round.SimilarSuite)
	}
}
