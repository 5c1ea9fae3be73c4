package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"entente/node"
	"entente/node/api"
	"entente/node/config"
	"entente/node/federation"
	"entente/node/intake"
	"entente/node/rounds"
	"entente/policy"
)

// marker stands for an indicator that was sent by mistake.
const marker = "+61491570156"

// joined makes the nodes AU and ID of one roster and returns their directories and
// the roster's file. AU lives by the pilot's rules.
func joined(t *testing.T) (au, roster string) {
	t.Helper()
	base := t.TempDir()
	roster = filepath.Join(base, "fed.json")
	dirs, cards := []string{}, []string{}
	for _, id := range []string{"AU", "ID"} {
		c := config.Default()
		c.Member = config.Member{ID: id, Name: "Member " + id, Role: "state"}
		c.Network.Listen = []string{"/ip4/127.0.0.1/tcp/7101"}
		dir := filepath.Join(base, strings.ToLower(id))
		if _, err := node.Init(t.Context(), dir, node.Setup{Config: c}); err != nil {
			t.Fatal(err)
		}
		dirs, cards = append(dirs, dir), append(cards, filepath.Join(dir, federation.CardName))
	}
	if _, err := federation.Create("test", roster, cards); err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		n, err := node.Open(t.Context(), dir, node.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := n.SignRoster(roster); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	files, err := policy.Pilot(policy.PilotOptions{Version: 2, Partners: []string{"ID"}, Basis: "AU-TIP"})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.WriteRules(filepath.Join(dirs[0], node.RulesFolder), files); err != nil {
		t.Fatal(err)
	}
	return dirs[0], roster
}

// daemon serves a node's API on its socket until stop, which waits for the handlers.
func daemon(t *testing.T, dir string) (n *node.Node, stop func()) {
	t.Helper()
	n, err := node.Open(t.Context(), dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := api.Listen(t.Context(), n)
	if err != nil {
		t.Fatal(errors.Join(err, n.Close()))
	}
	server, served := &http.Server{Handler: api.Handler(n)}, make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	stop = sync.OnceFunc(func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n, stop
}

func dial(t *testing.T, dir string, daemon bool) *api.Client {
	t.Helper()
	c, err := api.Dial(t.Context(), dir, node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Daemon != daemon {
		t.Errorf("a daemon answers: %v", c.Daemon)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// both runs a test through a real socket and through the client that works in the
// own process.
func both(t *testing.T, f func(t *testing.T, c *api.Client, dir, roster string)) {
	for _, socket := range []bool{false, true} {
		t.Run(fmt.Sprintf("socket=%v", socket), func(t *testing.T) {
			dir, roster := joined(t)
			if socket {
				daemon(t, dir)
			}
			f(t, dial(t, dir, socket), dir, roster)
		})
	}
}

// raw talks to a daemon below the client.
func raw(t *testing.T, dir string) *http.Client {
	t.Helper()
	c, err := config.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := c.ControlSocket(dir)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func request(learn, result string) rounds.Request {
	return rounds.Request{Partner: "ID", List: "wanted", Kind: "phone", Purpose: "trafficking", Learn: learn, Result: result}
}

// importQuery is what the import of a suspects' list says beside the file.
func importQuery(change ...string) url.Values {
	q := url.Values{
		"file": {"a.csv"}, "kind": {"phone"}, "category": {"suspect"}, "purpose": {"trafficking"}, "basis": {"AU-TIP"},
		"country": {"AU"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		q.Set(change[i], change[i+1])
	}
	return q
}

const phones = "phone\n0491570157\n0491570158\nnone\n"

// operations does everything that the API offers, once, and returns what it did.
func operations(t *testing.T, c *api.Client, dir, roster string) []string {
	t.Helper()
	ctx, done := t.Context(), []string{}
	did := func(method, path string, err error) {
		t.Helper()
		done = append(done, method+" "+path)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var status api.Status
	did("GET", "/status", c.Get(ctx, "/status", &status))
	if status.ID != "AU" || status.Rules != 1 {
		t.Errorf("status is %+v", status)
	}
	var signed api.Signed
	did("POST", "/federation/sign", c.Post(ctx, "/federation/sign", api.File{Path: roster}, &signed))
	if signed.File != roster+".AU.sig" || signed.Words == "" {
		t.Errorf("signed %+v", signed)
	}
	var f node.Federation
	did("POST", "/federation/join", c.Post(ctx, "/federation/join", api.File{Path: roster}, &f))
	did("GET", "/federation", c.Get(ctx, "/federation", &f))
	if len(f.Partners) != 1 || f.Words != signed.Words {
		t.Errorf("federation is %+v", f)
	}
	found := []policy.Finding{{}}
	rules := api.File{Path: filepath.Join(dir, node.RulesFolder)}
	did("POST", "/rules/check", c.Post(ctx, "/rules/check", rules, &found))
	if found == nil || len(found) != 0 {
		t.Errorf("findings are %v, want an empty array", found)
	}
	var active api.Rules
	did("POST", "/rules/activate", c.Post(ctx, "/rules/activate", rules, &active))
	did("GET", "/rules", c.Get(ctx, "/rules", &active))
	if active.Version != 2 || len(active.Rules) == 0 || len(active.Openings) == 0 {
		t.Errorf("rules are %+v", active)
	}
	for _, o := range active.Openings {
		if o.Learner != policy.Us && o.Learner != policy.Partner || o.Sentence == "" {
			t.Errorf("opening %+v", o)
		}
	}
	lists := operationsOfLists(t, c, did)
	operationsOfRounds(t, c, did)
	operationsOfLedger(t, c, did)
	operationsOfStanding(t, c, did)
	did("POST", "/partners/{member}/stop", c.Post(ctx, "/partners/ID/stop", nil, nil))
	if p := wrong(t, c.Post(ctx, "/rounds", request("us", "which"), nil)); p.Code != api.WrongState {
		t.Errorf("an offer to a stopped partner: %+v", p)
	}
	if p := wrong(t, c.Post(ctx, "/standing", lasting(nil), nil)); p.Code != api.WrongState {
		t.Errorf("a standing round with a stopped partner: %+v", p)
	}
	did("POST", "/partners/{member}/allow", c.Post(ctx, "/partners/ID/allow", nil, nil))
	var symptoms []node.Symptom
	did("GET", "/doctor", c.Get(ctx, "/doctor", &symptoms))
	if len(symptoms) < 7 {
		t.Errorf("doctor looked at %d things", len(symptoms))
	}
	backup := filepath.Join(t.TempDir(), "backup")
	did("POST", "/backup", c.Post(ctx, "/backup", api.File{Path: backup}, nil))
	if info, err := os.Stat(backup); err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("backup is %v: %v", info, err)
	}
	var folder api.File
	did("POST", "/audit", c.Post(ctx, "/audit", nil, &folder))
	if !filepath.IsAbs(folder.Path) || filepath.Base(folder.Path) != "audit" {
		t.Errorf("audit folder is %s", folder.Path)
	}
	export := filepath.Join(t.TempDir(), "export")
	did("POST", "/audit/export", c.Post(ctx, "/audit/export", api.Export{Path: export, First: "2020-01-01", Last: "2200-01-01"}, nil))
	if _, err := os.Stat(filepath.Join(export, "submitted.log")); err != nil {
		t.Errorf("export: %v", err)
	}
	if err := c.Post(ctx, "/audit/export", api.Export{Path: export + "2", First: "2020-01-32", Last: "2200-01-01"}, nil); err == nil {
		t.Error("a day that is none is taken")
	}
	did("DELETE", "/lists/{name}", c.Delete(ctx, "/lists/"+url.PathEscape(lists)))
	return done
}

// operationsOfLists leaves the list "wanted" and returns the name of one more.
func operationsOfLists(t *testing.T, c *api.Client, did func(method, path string, err error)) string {
	t.Helper()
	const other = "north/2026 äö?"
	for _, name := range []string{"wanted", other} {
		var report intake.Report
		path := "/lists/" + url.PathEscape(name) + "/import"
		did("POST", "/lists/{name}/import", c.Upload(t.Context(), path, importQuery(), strings.NewReader(phones), &report))
		if report.Ready != 2 || report.Rejected != 1 {
			t.Errorf("the report says %d ready, %d rejected", report.Ready, report.Rejected)
		}
	}
	var lists []api.List
	did("GET", "/lists", c.Get(t.Context(), "/lists", &lists))
	held := []node.Held{}
	did("GET", "/lists/{name}/held", c.Get(t.Context(), "/lists/"+url.PathEscape(lists[0].Name)+"/held", &held))
	if len(held) != 0 {
		t.Errorf("%d rows are held of a list without protected persons", len(held))
	}
	if len(lists) != 2 || lists[0].Name != other || lists[1].Items != 2 {
		t.Errorf("lists are %+v", lists)
	}
	return other
}

func operationsOfRounds(t *testing.T, c *api.Client, did func(method, path string, err error)) {
	t.Helper()
	ctx := t.Context()
	var plan rounds.Plan
	did("POST", "/rounds/plan", c.Post(ctx, "/rounds/plan", request("both", "which"), &plan))
	if !plan.Allowed || plan.Items != 2 || plan.Class != 64 {
		t.Errorf("plan is %+v", plan)
	}
	var v rounds.View
	did("POST", "/rounds", c.Post(ctx, "/rounds", request("both", "which"), &v))
	if v.State != "offered" {
		t.Fatalf("round is %s", v.State)
	}
	var all, waiting []rounds.View
	did("GET", "/rounds", c.Get(ctx, "/rounds", &all))
	did("GET", "/inbox", c.Get(ctx, "/inbox", &waiting))
	if len(all) != 1 || waiting == nil || len(waiting) != 0 {
		t.Errorf("%d rounds, %v wait", len(all), waiting)
	}
	id := v.ID
	did("GET", "/rounds/{id}", c.Get(ctx, "/rounds/"+id, &v))
	did("GET", "/rounds/{id}/wait", c.Get(ctx, "/rounds/"+id+"/wait?seconds=0", &v))
	hits := []rounds.Hit{{}}
	did("GET", "/rounds/{id}/hits", c.Get(ctx, "/rounds/"+id+"/hits", &hits))
	if v.ID != id || hits == nil || len(hits) != 0 {
		t.Errorf("round %s, hits %v", v.ID, hits)
	}
	for _, verb := range []string{"approve", "refuse"} { // the partner's to do
		p := wrong(t, c.Post(ctx, "/rounds/"+id+"/"+verb, nil, nil))
		if p.Code != api.WrongState || p.Status != http.StatusConflict {
			t.Errorf("%s: %+v", verb, p)
		}
		did("POST", "/rounds/{id}/"+verb, nil)
	}
	file := filepath.Join(t.TempDir(), "opening") // nothing is to be opened of a round by equality
	p := wrong(t, c.Post(ctx, "/rounds/"+id+"/opening", api.OpeningFile{Path: file}, nil))
	if p.Code != api.WrongState {
		t.Errorf("opening: %+v", p)
	}
	did("POST", "/rounds/{id}/opening", nil)
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p := wrong(t, c.Post(ctx, "/audit/compare", api.OpeningFiles{First: file, Second: file}, nil)); p.Code != api.BadFile {
		t.Errorf("compare: %+v", p)
	}
	did("POST", "/audit/compare", nil)
	did("POST", "/rounds/{id}/cancel", c.Post(ctx, "/rounds/"+id+"/cancel", nil, nil))
	did("GET", "/rounds/{id}", c.Get(ctx, "/rounds/"+id, &v))
	if v.State != "cancelled" {
		t.Errorf("round is %s", v.State)
	}
}

// operationsOfLedger asks a node whose federation keeps no ledger; what they answer where there
// is one, the stories show.
func operationsOfLedger(t *testing.T, c *api.Client, did func(method, path string, err error)) {
	t.Helper()
	ctx := t.Context()
	for _, o := range []struct {
		method, path, asked string
		body                any
	}{
		{"GET", "/ledger", "/ledger", nil}, {"GET", "/ledger/wait", "/ledger/wait?seconds=1", nil},
		{"GET", "/ledger/entries", "/ledger/entries?from=0&most=5", nil}, {"GET", "/ledger/checkpoint", "/ledger/checkpoint", nil},
		{"GET", "/ledger/proof/{index}", "/ledger/proof/3", nil}, {"GET", "/proposals", "/proposals", nil},
		{"GET", "/ledger/calls", "/ledger/calls", nil},
		{"POST", "/ledger/calls", "/ledger/calls", node.WantedTerm{Sequencers: []string{"AU"}}},
		{"POST", "/ledger/calls/{id}/agree", "/ledger/calls/abcd/agree", nil},
		{"POST", "/proposals", "/proposals", node.Wanted{Action: "suspend", Member: "ID", Days: 1}},
		{"POST", "/proposals/{id}/approve", "/proposals/abcd/approve", nil},
		{"POST", "/proposals/{id}/object", "/proposals/abcd/object", nil},
		{"POST", "/federation/keys", "/federation/keys", nil},
		{"POST", "/federation/addresses", "/federation/addresses", api.Addresses{Addresses: []string{}}},
	} {
		err := c.Get(ctx, o.asked, nil)
		if o.method == "POST" {
			err = c.Post(ctx, o.asked, o.body, nil)
		}
		if p := wrong(t, err); p.Code != api.NoLedger {
			t.Errorf("%s %s: %+v", o.method, o.path, p)
		}
		did(o.method, o.path, nil)
	}
}

// wrong demands that the API found something wrong.
func wrong(t *testing.T, err error) *api.Problem {
	t.Helper()
	p, ok := errors.AsType[*api.Problem](err)
	if !ok {
		t.Fatalf("%v is no problem", err)
	}
	if p.Message == "" || p.Error() != p.Message || p.GetStatus() != p.Status {
		t.Errorf("problem %+v", p)
	}
	return p
}

func TestEveryOperation(t *testing.T) {
	both(t, func(t *testing.T, c *api.Client, dir, roster string) {
		done := operations(t, c, dir, roster)
		var document struct {
			Paths map[string]map[string]struct {
				Summary string `json:"summary"`
			} `json:"paths"`
		}
		if err := c.Get(t.Context(), "/openapi.json", &document); err != nil {
			t.Fatal(err)
		}
		described := []string{}
		for path, methods := range document.Paths {
			for method, operation := range methods {
				described = append(described, strings.ToUpper(method)+" "+path)
				if operation.Summary == "" {
					t.Errorf("%s %s says not what it does", method, path)
				}
			}
		}
		slices.Sort(described)
		slices.Sort(done)
		if done = slices.Compact(done); !slices.Equal(done, described) {
			t.Errorf("the document describes\n%v\nand this test does\n%v", described, done)
		}
	})
}

func TestProblems(t *testing.T) {
	dir, roster := joined(t)
	daemon(t, dir)
	c, ctx := dial(t, dir, true), t.Context()
	post := func(path string, body any) func() error {
		return func() error { return c.Post(ctx, path, body, nil) }
	}
	get := func(path string) func() error { return func() error { return c.Get(ctx, path, nil) } }
	file := func(name, content string, change ...string) func() error {
		return func() error {
			return c.Upload(ctx, "/lists/"+name+"/import", importQuery(change...), strings.NewReader(content), nil)
		}
	}
	asked := func(change func(*rounds.Request)) rounds.Request {
		r := request("both", "which")
		change(&r)
		return r
	}
	nowhere := api.File{Path: filepath.Join(dir, "nowhere")}
	signature := roster + ".ID.sig"
	kept, err := os.ReadFile(signature)
	if err != nil {
		t.Fatal(err)
	}
	joining := func(signed []byte) func() error {
		return func() error {
			if err := os.Remove(signature); err != nil && signed == nil {
				t.Error(err)
			}
			if signed != nil {
				if err := os.WriteFile(signature, signed, 0o600); err != nil {
					t.Error(err)
				}
			}
			return c.Post(ctx, "/federation/join", api.File{Path: roster}, nil)
		}
	}
	for _, x := range []struct {
		name string
		do   func() error
		code api.Code // empty: it works
	}{
		{"no federation", get("/federation"), api.NotJoined},
		{"plan without a federation", post("/rounds/plan", request("us", "which")), api.NotJoined},
		{"offer without a federation", post("/rounds", request("us", "which")), api.NotJoined},
		{"stop without a federation", post("/partners/ID/stop", nil), api.NotJoined},
		{"signature missing", joining(nil), api.BadRoster},
		{"signature broken", joining([]byte("{}")), api.Failed},
		{"join", joining(kept), ""},
		{"no roster there", post("/federation/sign", nowhere), api.Failed},
		{"stranger stopped", post("/partners/SG/stop", nil), api.NotFound},
		{"stranger asked", post("/rounds/plan", asked(func(r *rounds.Request) { r.Partner = "SG" })), api.NotFound},
		{"no rules there", post("/rules/activate", nowhere), api.Failed},
		{"no list", post("/rounds/plan", request("us", "which")), api.NotFound},
		{"no list to erase", func() error { return c.Delete(ctx, "/lists/none") }, api.NotFound},
		{"no round", get("/rounds/00000000000000000000000000000000"), api.NotFound},
		{"no round's hits", get("/rounds/00000000000000000000000000000000/hits"), api.NotFound},
		{"no round to wait for", get("/rounds/0/wait?seconds=1"), api.NotFound},
		{"too long a wait", get("/rounds/0/wait?seconds=61"), api.Invalid},
		{"who learns", post("/rounds/plan", request("me", "which")), api.Invalid},
		{"what is learnt", post("/rounds", request("us", "all")), api.Invalid},
		{"kind", post("/rounds", asked(func(r *rounds.Request) { r.Kind = "fone" })), api.Invalid},
		{"expiry", post("/rounds", asked(func(r *rounds.Request) { r.Expires = -1 })), api.Invalid},
		{"no path", post("/backup", api.File{}), api.Invalid},
		{"empty file", file("wanted", ""), api.BadFile},
		{"not UTF-8", file("wanted", "phone\n\xff\n"), api.BadFile},
		{"no column", file("wanted", "name\nx\n"), api.BadFile},
		{"kind of a file", file("wanted", phones, "kind", "fone"), api.Invalid},
		{"category", file("wanted", phones, "category", "foe"), api.Invalid},
		{"column", file("wanted", phones, "column", "phone"), api.Invalid},
		{"purpose", file("wanted", phones, "purpose", ""), api.Failed},
		{"long name", file(strings.Repeat("x", 65), phones), api.Invalid},
		{"import", file("wanted", phones), ""},
		{"another category", file("wanted", phones, "category", "victim"), "differs"},
		{"rules that deny", post("/rounds", request("us", "which")), api.Denied},
		{"backup over the store", post("/backup", api.File{Path: filepath.Join(dir, "store.db")}), api.Failed},
	} {
		err := x.do()
		if x.code == "" {
			if err != nil {
				t.Errorf("%s: %v", x.name, err)
			}
			continue
		}
		if p := wrong(t, err); p.Code != x.code || p.Status < 400 || p.Status >= 500 {
			t.Errorf("%s: %+v, want %s", x.name, p, x.code)
		}
	}
	broken := filepath.Join(t.TempDir(), "rules")
	if err := node.WriteRules(broken, map[string][]byte{"bundle.toml": []byte("version = 9\n"), "r.cedar": []byte("permit(")}); err != nil {
		t.Fatal(err)
	}
	if p := wrong(t, c.Post(ctx, "/rules/activate", api.File{Path: broken}, nil)); p.Code != api.BadRules || len(p.Findings) == 0 {
		t.Errorf("broken rules: %+v", p)
	}
	for _, path := range []string{"/docs", "/schemas", "/lists/../status", "/nothing"} {
		if err := c.Get(ctx, path, nil); err == nil {
			t.Errorf("%s is there", path)
		}
	}
}

// What is sent by mistake must not come back: it may be an indicator, and answers
// reach screens and logs.
func TestErrorsRepeatNothing(t *testing.T) {
	dir, _ := joined(t)
	daemon(t, dir)
	h := raw(t, dir)
	escaped, many := url.QueryEscape(marker), strings.Repeat(marker+" ", 1<<17)
	for _, x := range []struct{ method, path, body string }{
		{"GET", "/rounds/" + url.PathEscape(marker), ""},
		{"GET", "/rounds/" + strings.Repeat(url.PathEscape(marker), 9), ""},
		{"GET", "/rounds/0/wait?seconds=" + escaped, ""},
		{"POST", "/rounds/plan", `{"kind":"` + marker + `"}`},
		{"POST", "/rounds/plan", `{"partner":"ID","list":"x","kind":"phone","purpose":"p","learn":"` + marker + `","result":"which","expires":0}`},
		{"POST", "/rounds/plan", `{"partner":"ID","list":"x","kind":"phone","purpose":"p","learn":"us","result":"` + marker + `","expires":0}`},
		{"POST", "/rounds/plan", `{"partner":"ID","list":"x","kind":"` + marker + `","purpose":"p","learn":"us","result":"which","expires":0}`},
		{"POST", "/rounds/plan", `{"partner":"` + marker + `","list":"x","kind":"phone","purpose":"p","learn":"us","result":"which","expires":0}`},
		{"POST", "/rounds", `{"expires":"` + marker + `"}`},
		{"POST", "/rounds", `{"list":["` + marker + `"]}`},
		{"POST", "/rounds", `["` + marker + `"]`},
		{"POST", "/rounds", marker},
		{"POST", "/rounds", `{"` + marker + `":1}`},
		{"POST", "/rounds", many},
		{"POST", "/backup", `{"path":"","other":"` + marker + `"}`},
		{"POST", "/partners/" + url.PathEscape(marker) + "/stop", ""},
		{"POST", "/lists/x/import?kind=" + escaped, "phone\n"},
		{"POST", "/lists/x/import?kind=phone&category=" + escaped, "phone\n"},
		{"POST", "/lists/x/import?kind=phone&category=suspect&column=" + escaped, "phone\n"},
		{"POST", "/lists/x/import?size=" + escaped, "phone\n"},
		{"POST", "/lists/x/import?dry_run=" + escaped, "phone\n"},
		{"POST", "/lists/" + strings.Repeat(url.PathEscape(marker), 9) + "/import", "phone\n"},
		{"POST", "/lists/x/import?kind=phone&category=suspect&purpose=p&basis=b&country=" + escaped, "phone\n1\n"},
		{"POST", "/lists/x/import?kind=phone&category=suspect&purpose=p&basis=b", marker + "\n" + marker + "\n"},
		{"POST", "/lists/x/import?kind=phone&category=suspect&purpose=p&basis=b", "phone\n" + marker + "\n\xff"},
		{"POST", "/lists/x/import?kind=phone&category=suspect&purpose=p&basis=b", "phone,phone\n" + marker + ",1\n"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), x.method, "http://node"+x.path, strings.NewReader(x.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w, err := h.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", x.method, x.path, err)
			continue
		}
		b, err := io.ReadAll(w.Body)
		if err := errors.Join(err, w.Body.Close()); err != nil {
			t.Error(err)
		}
		name := fmt.Sprintf("%s %.60s %.60s", x.method, x.path, x.body)
		if w.StatusCode < 400 || w.StatusCode >= 500 {
			t.Errorf("%s: status %d", name, w.StatusCode)
		}
		if bytes.Contains(b, []byte("61491570156")) {
			t.Errorf("%s: the answer repeats it: %.200s", name, b)
		}
		var p api.Problem
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&p); err != nil || p.Code == "" || p.Message == "" || p.Status != w.StatusCode {
			t.Errorf("%s: the answer is no problem: %.200s", name, b)
		}
		if len(b) > 2000 {
			t.Errorf("%s: an answer of %d bytes", name, len(b))
		}
	}
}
