package adversary

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entente/protocol/wire"
)

func TestResultsAreThoseOfTheSeed(t *testing.T) {
	first, again, other := sweep(t, small(7)), sweep(t, small(7)), sweep(t, small(8))
	if !reflect.DeepEqual(first.Results, again.Results) {
		t.Errorf("two runs of one seed differ:\n%+v\n%+v", first.Results, again.Results)
	}
	if reflect.DeepEqual(first.Results, other.Results) {
		t.Error("another seed changes nothing")
	}
}

// TestWhatEachPublicationGivesUp compares three sizes of the scenario with the plain
// intersection of guesses and list.
func TestWhatEachPublicationGivesUp(t *testing.T) {
	for name, s := range map[string]Settings{
		"some chunks and a part of one": small(1),
		"one item":                      {Guesses: 1000, Held: 1, Quota: 64, Seed: 2},
		"less than a chunk":             {Guesses: 1000, Held: 300, Quota: 80, Seed: 3},
		"the whole plan is listed":      {Guesses: 1000, Held: 1000, Quota: 512, Seed: 4},
	} {
		t.Run(name, func(t *testing.T) {
			r := sweep(t, s)
			if found := r.Contradictions(); len(found) > 0 {
				t.Errorf("contradictions: %v", found)
			}
			f, tags, q := r.Results.Filter, r.Results.Tags, r.Results.Questions
			if f.Guesses != s.Guesses || f.Recovered != s.Held || f.Beyond != s.Held || f.Ideal != 0 || f.Charged != 0 || f.Refused != 0 {
				t.Errorf("filter: %+v", f)
			}
			if tags.Guesses != s.Guesses || tags.Recovered != 0 || tags.False != 0 || tags.Charged != 0 || tags.Control.Found != s.Held {
				t.Errorf("tags: %+v", tags)
			}
			want := plainIntersection(s, s.Quota)
			if q.Guesses != s.Quota || q.Charged != s.Quota || q.Recovered != want || q.Ideal != want || q.Beyond != 0 || q.False != 0 {
				t.Errorf("questions: %+v, want %d items", q, want)
			}
			if q.Refused != periodDays || q.OverQuota != int(wire.Quota) || q.OldNumber != int(wire.Replayed) {
				t.Errorf("refusals: %+v", q)
			}
			for i, d := range q.Days {
				if (d != Day{Day: i + 1, Used: s.Quota, Refused: i + 1}) {
					t.Errorf("books on day %d: %+v", i+1, d)
				}
			}
		})
	}
}

// TestQuotaAsLargeAsThePlan is the agreement that protects nobody. It must not look better
// than it is.
func TestQuotaAsLargeAsThePlan(t *testing.T) {
	s := Settings{Guesses: 1100, Held: 50, Quota: 1280, Seed: 1}
	r := sweep(t, s)
	q := r.Results.Questions
	if q.Recovered != s.Held || q.Refused != 0 || q.OverQuota != 0 || q.PlanPeriods != 1 || q.Charged != 1024+80 {
		t.Errorf("%+v", q)
	}
	var b strings.Builder
	if err := r.Write(&b); err != nil || !strings.Contains(b.String(), "stops nothing") {
		t.Errorf("%v\n%s", err, &b)
	}
	if found := r.Contradictions(); len(found) > 0 {
		t.Error(found)
	}
}

func TestSettings(t *testing.T) {
	if err := Defaults().Check(); err != nil {
		t.Error(err)
	}
	for says, s := range map[string]Settings{
		"guesses must be 1000":      {Guesses: 999, Held: 1, Quota: 64},
		"guesses must be":           {Guesses: MaxGuesses + 1, Held: 1, Quota: 64},
		"held must be 1":            {Guesses: 1000, Held: 0, Quota: 64},
		"number of guesses (1000)":  {Guesses: 1000, Held: 1001, Quota: 64},
		"quota must be 64":          {Guesses: 1000, Held: 1, Quota: 63},
		"quota must be 64 to":       {Guesses: 1000, Held: 1, Quota: math.MaxInt},
		"size class, such as 1024,": {Guesses: 1000, Held: 1, Quota: 1000},
	} {
		if _, err := Sweep(t.Context(), s, "test", nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", s, err, says)
		}
	}
}

// TestJSON fixes the names that scripts read.
func TestJSON(t *testing.T) {
	b, err := json.Marshal(sweep(t, small(1)))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]any
	_ = json.Unmarshal([]byte(strings.Replace(string(b), `"name":"filter-sweep",`, "", 1)), &all)
	for part, names := range map[string][]string{
		"settings": {"guesses", "held", "quota", "seed"},
		"versions": {"go", "kernel", "program", "protocol"},
		"results":  {"chance", "filter", "questions", "tags"},
		"measured": {"filter", "machine", "questions", "tags"},
	} {
		if got := slices.Sorted(maps.Keys(all[part])); !slices.Equal(got, names) {
			t.Errorf("%s has %v", part, got)
		}
	}
	for _, attack := range []string{"filter", "tags", "questions"} {
		outcome, _ := all["results"][attack].(map[string]any)
		for _, name := range []string{"guesses", "recovered", "false", "charged", "ideal", "beyond", "refused"} {
			if _, ok := outcome[name].(float64); !ok {
				t.Errorf("%s lacks %s", attack, name)
			}
		}
		cost, _ := all["measured"][attack].(map[string]any)
		if s, ok := cost["cpu_seconds"].(float64); !ok || s < 0 {
			t.Errorf("%s has no processor time", attack)
		}
	}
	if len(all) != 4 || strings.Contains(string(b), "null") {
		t.Errorf("%d parts: %s", len(all), b)
	}
}

// TestCancelled ends the sweep in each of its parts.
func TestCancelled(t *testing.T) {
	for _, part := range []string{"publications of B", "Bloom filter", "tags, offline", "counted questions"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Sweep(ctx, small(1), "test", func(what string, _, _ int) {
			if what == part {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled during %s: %v", part, err)
		}
	}
}

// TestProgress wants every part to come to its end, and never to go back.
func TestProgress(t *testing.T) {
	last, total := map[string]int{}, map[string]int{}
	_, err := Sweep(t.Context(), small(1), "test", func(what string, done, of int) {
		if done < last[what] || done > of {
			t.Errorf("%s: %d of %d after %d", what, done, of, last[what])
		}
		last[what], total[what] = done, of
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(last) != 4 || !maps.Equal(last, total) {
		t.Errorf("ended at %v of %v", last, total)
	}
}

// TestContradictions alters each claim and wants it noticed.
func TestContradictions(t *testing.T) {
	right := sweep(t, small(1))
	for name, alter := range map[string]func(*Report){
		"filter kept an item back":  func(r *Report) { r.Results.Filter.Recovered-- },
		"filter was charged":        func(r *Report) { r.Results.Filter.Charged++ },
		"tags gave an item up":      func(r *Report) { r.Results.Tags.Recovered++ },
		"tags gave another up":      func(r *Report) { r.Results.Tags.False++ },
		"a tag was the same":        func(r *Report) { r.Results.Tags.Ways[wayTags].Found++ },
		"the test is blind":         func(r *Report) { r.Results.Tags.Control.Found-- },
		"more than the quota":       func(r *Report) { r.Results.Questions.Charged++ },
		"more than the ideal":       func(r *Report) { r.Results.Questions.Recovered++ },
		"an item besides the ideal": func(r *Report) { r.Results.Questions.Beyond++ },
		"a wrong hit":               func(r *Report) { r.Results.Questions.False++ },
		"a hit is missing":          func(r *Report) { r.Results.Questions.Recovered-- },
		"a refusal is not counted":  func(r *Report) { r.Results.Questions.Refused-- },
		"refused with another code": func(r *Report) { r.Results.Questions.OverQuota = 1 },
		"old number was answered":   func(r *Report) { r.Results.Questions.OldNumber = 0 },
	} {
		r := right
		r.Results.Tags.Ways = slices.Clone(right.Results.Tags.Ways)
		alter(&r)
		if len(r.Contradictions()) == 0 {
			t.Errorf("%s: nobody noticed", name)
		}
	}
}
