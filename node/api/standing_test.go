package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"entente/node/api"
	"entente/node/rounds"
	"entente/node/standing"
)

func lasting(change func(*standing.Request)) standing.Request {
	r := standing.Request{Partner: "ID", Lists: []string{"wanted"}, Purpose: "trafficking", Learn: "both", Checks: 3}
	if change != nil {
		change(&r)
	}
	return r
}

// operationsOfStanding does what one side can do before the partner has heard of it.
func operationsOfStanding(t *testing.T, c *api.Client, did func(method, path string, err error)) {
	t.Helper()
	ctx := t.Context()
	var plan standing.Plan
	did("POST", "/standing/plan", c.Post(ctx, "/standing/plan", lasting(nil), &plan))
	if !plan.Allowed || plan.Class != 64 || plan.Every != 24*time.Hour || plan.Guesses == 0 || len(plan.Warnings) < 5 {
		t.Errorf("plan is %+v", plan)
	}
	var v standing.View
	did("POST", "/standing", c.Post(ctx, "/standing", lasting(nil), &v))
	if v.State != "offered" || v.Checks != 3 || !v.Proposer {
		t.Fatalf("standing round is %+v", v)
	}
	id := v.ID
	var all []standing.View
	did("GET", "/standing", c.Get(ctx, "/standing", &all))
	did("GET", "/standing/{id}", c.Get(ctx, "/standing/"+id, &v))
	did("GET", "/standing/{id}/wait", c.Get(ctx, "/standing/"+id+"/wait?seconds=0&after=0", &v))
	hits := []rounds.Hit{{}}
	did("GET", "/standing/{id}/hits", c.Get(ctx, "/standing/"+id+"/hits", &hits))
	if len(all) != 1 || v.ID != id || hits == nil || len(hits) != 0 {
		t.Errorf("%d standing rounds, %s, hits %v", len(all), v.ID, hits)
	}
	p := wrong(t, c.Post(ctx, "/standing/check", api.Question{Kind: "phone", Value: marker}, nil))
	if p.Code != api.Failed || !strings.Contains(p.Message, "no standing round") {
		t.Errorf("check: %+v", p)
	}
	did("POST", "/standing/check", nil)
	for _, verb := range []string{"approve", "refuse", "pause", "resume", "renew"} { // too early, or the partner's to do
		p := wrong(t, c.Post(ctx, "/standing/"+id+"/"+verb, nil, nil))
		if p.Code != api.WrongState || p.Status != http.StatusConflict {
			t.Errorf("%s: %+v", verb, p)
		}
		did("POST", "/standing/{id}/"+verb, nil)
	}
	did("POST", "/standing/{id}/end", c.Post(ctx, "/standing/"+id+"/end", nil, nil))
	if err := c.Get(ctx, "/standing/"+id, &v); err != nil || v.State != "ending" {
		t.Errorf("standing round is %s: %v", v.State, err)
	}
}

// What both kinds of rounds have stands where readers of single rounds look for it.
func TestEntries(t *testing.T) {
	entries := api.Entries([]rounds.View{{ID: "a"}}, []standing.View{{ID: "b", Kinds: []string{"email", "phone"}, Hits: 7}, {ID: "c"}})
	if len(entries) != 3 || entries[0].Standing != nil || entries[0].ID != "a" {
		t.Fatalf("entries are %+v", entries)
	}
	if b := entries[1]; b.ID != "b" || b.Kind != "email,phone" || *b.Hits != 7 || b.Standing.ID != "b" || entries[2].Standing.ID != "c" {
		t.Errorf("entries are %+v", entries)
	}
	if none := api.Entries(nil, nil); none == nil {
		t.Error("no entries are no array")
	}
}

func TestStandingProblems(t *testing.T) {
	dir, roster := joined(t)
	daemon(t, dir)
	c, ctx := dial(t, dir, true), t.Context()
	const none = "/standing/00000000000000000000000000000000"
	if p := wrong(t, c.Post(ctx, "/standing/plan", lasting(nil), nil)); p.Code != api.NotJoined {
		t.Errorf("without a federation: %+v", p)
	}
	if err := c.Post(ctx, "/federation/join", api.File{Path: roster}, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{none, none + "/wait?seconds=1", none + "/hits"} {
		if p := wrong(t, c.Get(ctx, path, nil)); p.Code != api.NotFound {
			t.Errorf("%s: %+v", path, p)
		}
	}
	for _, verb := range []string{"approve", "refuse", "pause", "resume", "renew", "end"} {
		if p := wrong(t, c.Post(ctx, none+"/"+verb, nil, nil)); p.Code != api.NotFound {
			t.Errorf("%s: %+v", verb, p)
		}
	}
	for name, x := range map[string]struct {
		change func(*standing.Request)
		code   api.Code
	}{
		"no list named":   {func(r *standing.Request) { r.Lists = nil }, api.Invalid},
		"a list twice":    {func(r *standing.Request) { r.Lists = []string{"x", "x"} }, api.Invalid},
		"too often":       {func(r *standing.Request) { r.Every = time.Second }, api.Invalid},
		"half a second":   {func(r *standing.Request) { r.Every = time.Hour + time.Second/2 }, api.Invalid},
		"backwards":       {func(r *standing.Request) { r.Every = -time.Hour }, api.Invalid},
		"short period":    {func(r *standing.Request) { r.Period = time.Minute }, api.Invalid},
		"period under":    {func(r *standing.Request) { r.Every, r.Period = 3*time.Hour, 2*time.Hour }, api.Invalid},
		"for ever":        {func(r *standing.Request) { r.For = 367 * 24 * time.Hour }, api.Invalid},
		"few questions":   {func(r *standing.Request) { r.Questions = -1 }, api.Invalid},
		"many questions":  {func(r *standing.Request) { r.Questions = 1 << 30 }, api.Invalid},
		"many checks":     {func(r *standing.Request) { r.Checks = 1001 }, api.Invalid},
		"who learns":      {func(r *standing.Request) { r.Learn = "me" }, api.Invalid},
		"unknown list":    {func(*standing.Request) {}, api.NotFound},
		"unknown partner": {func(r *standing.Request) { r.Partner = "SG" }, api.NotFound},
	} {
		for _, path := range []string{"/standing", "/standing/plan"} {
			if p := wrong(t, c.Post(ctx, path, lasting(x.change), nil)); p.Code != x.code {
				t.Errorf("%s at %s: %+v, want %s", name, path, p, x.code)
			}
		}
	}
}

// The value of an urgent check comes back in no answer, whatever is wrong with the question.
func TestChecksRepeatNothing(t *testing.T) {
	dir, _ := joined(t)
	daemon(t, dir)
	h := raw(t, dir)
	for _, body := range []string{
		`{"kind":"phone","value":"` + marker + `"}`,
		`{"kind":"phone","value":"0491570156"}`,
		`{"kind":"document","value":"` + marker + `"}`,
		`{"kind":"` + marker + `","value":"` + marker + `"}`,
		`{"kind":"phone","value":["` + marker + `"]}`,
		`{"kind":"phone","value":"1","partners":"` + marker + `"}`,
		`{"kind":"phone","value":"1","country":"` + marker + `"}`,
		`{"kind":"phone","` + marker + `":"1"}`,
		`["` + marker + `"]`,
		marker,
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://node/standing/check", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w, err := h.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(w.Body)
		if err != nil {
			t.Error(err)
		}
		if err := w.Body.Close(); err != nil {
			t.Error(err)
		}
		if strings.Contains(string(b), "491570156") || w.StatusCode < 400 || w.StatusCode >= 500 {
			t.Errorf("%s: status %d: %.200s", body, w.StatusCode, b)
		}
	}
}
