package policy

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

func TestHighestPermittedMode(t *testing.T) {
	count := pass("count", `permit (principal, action == Action::"count", resource);`)
	idsRule := pass("ids", `permit (principal, action == Action::"ids", resource);`)
	noIDs := `@title("no ids") forbid (principal, action == Action::"ids", resource);`
	noCount := `@title("no count") forbid (principal, action == Action::"count", resource);`
	for name, c := range map[string]struct {
		rules       string
		asked, want terms.Mode
		grounds     []string
	}{
		"no rule":                   {"", terms.IDs, terms.None, []string{"default", "default"}},
		"nothing asked":             {count + idsRule, terms.None, terms.None, nil},
		"ids":                       {count + idsRule, terms.IDs, terms.IDs, []string{"rules#2"}},
		"never above asked":         {count + idsRule, terms.Count, terms.Count, []string{"rules#1"}},
		"lowered to count":          {count, terms.IDs, terms.Count, []string{"default", "rules#1"}},
		"lowered by a forbid":       {count + idsRule + noIDs, terms.IDs, terms.Count, []string{"rules#3", "rules#1"}},
		"count closed, ids open":    {count + idsRule + noCount, terms.IDs, terms.IDs, []string{"rules#2"}},
		"count asked, only ids":     {idsRule, terms.Count, terms.None, []string{"default"}},
		"both closed":               {count + idsRule + noIDs + noCount, terms.IDs, terms.None, []string{"rules#3", "rules#4"}},
		"two permits, both grounds": {count + idsRule + pass("more", openAll), terms.IDs, terms.IDs, []string{"rules#2", "rules#3"}},
	} {
		d := load(t, c.rules).Decide(question(func(r *Request) { r.Asked = c.asked }))
		if d.Mode != c.want || !slices.Equal(ids(d.Grounds), c.grounds) || len(d.Errors) != 0 {
			t.Errorf("%s: mode %v by %v, errors %q, want %v by %v", name, d.Mode, ids(d.Grounds), d.Errors, c.want, c.grounds)
		}
	}
}

// TestEveryFactCounts changes one fact of a permitted request at a time.
func TestEveryFactCounts(t *testing.T) {
	b := load(t, pass("narrow", `permit (principal == Member::"ID", action == Action::"ids", resource) when {
		principal.role == Role::"state" && resource.kind == Kind::"phone" && resource.category == Category::"suspect" &&
		resource.basis == Basis::"AU-TIP" && resource.purpose == Purpose::"trafficking" && context.purpose == Purpose::"trafficking" &&
		context.learner == Learner::"partner" && context.items_today + context.items <= 20480 &&
		context.own_items >= 64 && context.partner_items <= 10240 && context.now < datetime("2027-01-01") };`))
	if d := b.Decide(question()); d.Mode != terms.IDs {
		t.Fatalf("the request is refused: %+v", d)
	}
	for name, change := range map[string]func(*Request){
		"partner":      func(r *Request) { r.Partner = "TH" },
		"role":         func(r *Request) { r.PartnerRole = "ngo" },
		"kind":         func(r *Request) { r.Kind = "document" },
		"category":     func(r *Request) { r.Category = "convicted" },
		"basis":        func(r *Request) { r.Basis = "AU-FRAUD" },
		"purpose":      func(r *Request) { r.Purpose, r.ListPurpose = "fraud", "fraud" },
		"learner":      func(r *Request) { r.Learner = Us },
		"mode":         func(r *Request) { r.Asked = terms.Count },
		"own size":     func(r *Request) { r.OwnItems = 63 },
		"partner size": func(r *Request) { r.PartnerItems = 12288 },
		"today":        func(r *Request) { r.ItemsToday = 10241 },
		"counted size": func(r *Request) { r.OwnItems = 20481 },
		"time":         func(r *Request) { r.Now = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		if d := b.Decide(question(change)); d.Mode != terms.None || len(d.Errors) != 0 {
			t.Errorf("%s changed: mode %v, errors %q", name, d.Mode, d.Errors)
		}
	}
	if d := b.Decide(question(func(r *Request) { r.ItemsToday = 10240 })); d.Mode != terms.IDs {
		t.Errorf("exactly at the limit: %v", d.Mode)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	b := load(t, pass("open", openAll))
	for name, change := range map[string]func(*Request){
		"empty":              func(r *Request) { *r = Request{} },
		"no partner":         func(r *Request) { r.Partner = "" },
		"itself":             func(r *Request) { r.Partner = r.Self },
		"unknown role":       func(r *Request) { r.PartnerRole = "" },
		"unknown kind":       func(r *Request) { r.Kind = "phnoe" },
		"unknown category":   func(r *Request) { r.Category = "migrant" },
		"no learner":         func(r *Request) { r.Learner = 0 },
		"unknown learner":    func(r *Request) { r.Learner = 3 },
		"unknown mode":       func(r *Request) { r.Asked = 3 },
		"no own size":        func(r *Request) { r.OwnItems = 0 },
		"negative own size":  func(r *Request) { r.OwnItems = -1 },
		"negative partner":   func(r *Request) { r.PartnerItems = -1 },
		"negative today":     func(r *Request) { r.ItemsToday = -250_000 },
		"size out of range":  func(r *Request) { r.OwnItems = maxItems + 1 },
		"today out of range": func(r *Request) { r.ItemsToday = 1 << 62 },
		"no time":            func(r *Request) { r.Now = time.Time{} },
	} {
		d := b.Decide(question(change))
		if d.Mode != terms.None || len(d.Errors) == 0 || len(d.Grounds) != 0 {
			t.Errorf("%s: %+v, want errors only", name, d)
		}
	}
	if d := b.Decide(question(func(r *Request) { r.OwnItems, r.ItemsToday = maxItems, maxItems })); len(d.Errors) != 0 {
		t.Errorf("largest sizes: %q", d.Errors)
	}
}

func TestOnlyRegisteredPurposesAndBases(t *testing.T) {
	b := load(t, pass("open", openAll))
	d := b.Decide(question(func(r *Request) { r.Purpose, r.ListPurpose, r.Basis = "tax", "tax", "XX" }))
	if d.Mode != terms.None || !slices.Equal(ids(d.Grounds), []string{registerFile, registerFile}) {
		t.Errorf("decision %+v", d)
	}
	for _, g := range d.Grounds {
		if !g.Forbids || g.Title == "" || g.Remedy == "" {
			t.Errorf("ground %+v does not explain itself", g)
		}
	}
	// Names that look like rule text stay names.
	d = b.Decide(question(func(r *Request) { r.Partner = `ID" || true || "` }))
	if d.Mode != terms.IDs {
		t.Errorf("a partner with quotes is one more member: %+v", d)
	}
}

func TestDutiesMergeStrictest(t *testing.T) {
	strict := `@min_items("128") @retention_days("30") @epsilon_milli("500") @min_count("20") @approval("none")`
	loose := `@min_items("64") @retention_days("365") @exact_count("yes") @min_count("0") @approval("none")`
	for name, c := range map[string]struct {
		annotations []string
		want        Duties
	}{
		"defaults":        {[]string{""}, Duties{0, 90, 1000, 11, true, 0}},
		"strict":          {[]string{strict}, Duties{128, 30, 500, 20, false, 0}},
		"loose":           {[]string{loose}, Duties{64, 365, 0, 0, false, 0}},
		"both":            {[]string{strict, loose}, Duties{128, 30, 500, 20, false, 0}},
		"other way":       {[]string{loose, strict}, Duties{128, 30, 500, 20, false, 0}},
		"with defaults":   {[]string{loose, ""}, Duties{64, 90, 1000, 11, true, 0}},
		"exact if all do": {[]string{loose, `@exact_count("yes")`}, Duties{64, 90, 0, 11, true, 0}},
		"spelt out":       {[]string{`@exact_count("no") @approval("one")`}, Duties{0, 90, 1000, 11, true, 0}},
	} {
		var rules string
		for i, a := range c.annotations {
			rules += pass("rule "+string(rune('a'+i)), a+openAll)
		}
		// A permit that does not match lays no duty on anyone.
		rules += pass("other", `@retention_days("1") @min_items("99999") permit (principal == Member::"TH", action, resource);`)
		if d := load(t, rules).Decide(question()); d.Duties != c.want || d.Mode != terms.IDs {
			t.Errorf("%s: %v with %+v, want %+v", name, d.Mode, d.Duties, c.want)
		}
	}
}

func TestSmallListsAreRefused(t *testing.T) {
	b := load(t, pass("large only", `@min_items("1024")`+openAll))
	for name, c := range map[string]struct {
		own, partner int64
		want         terms.Mode
	}{
		"both large":      {1024, 1024, terms.IDs},
		"own small":       {1023, 1024, terms.None},
		"partner small":   {1024, 1023, terms.None},
		"partner unknown": {1024, 0, terms.IDs},
	} {
		d := b.Decide(question(func(r *Request) { r.OwnItems, r.PartnerItems = c.own, c.partner }))
		if d.Mode != c.want {
			t.Errorf("%s: %v, want %v", name, d.Mode, c.want)
		}
		if c.want == terms.None && (!d.Grounds[0].Forbids || !strings.Contains(d.Grounds[0].Remedy, "1,024")) {
			t.Errorf("%s: grounds %+v do not name the size", name, d.Grounds)
		}
	}
}

func TestDecideIsPureAndConcurrent(t *testing.T) {
	b := pilot(t)
	want := b.Decide(question())
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if got := b.Decide(question()); !reflect.DeepEqual(got, want) {
					t.Errorf("got %+v, want %+v", got, want)
					return
				}
				b.Rules()
				b.Digest()
				b.Files()[rulesFile][0] = 'x'
			}
		})
	}
	group.Wait()
}

// randomRule writes one rule from a small grammar.
func randomRule(r *rand.Rand, effect, title string) string {
	pick := func(vs ...string) string { return vs[r.IntN(len(vs))] }
	condition := pick(`true`, `resource.kind == Kind::"phone"`, `context.learner == Learner::"us"`,
		`context.items_today + context.items <= 20000`, `principal.role == Role::"ngo"`,
		`[Category::"suspect", Category::"victim"].contains(resource.category)`, `context.purpose != Purpose::"fraud"`)
	head := "@title(\"" + title + "\")\n"
	if effect == "permit" {
		head += pick("", `@min_items("1024") `, `@approval("none") `, `@exact_count("yes") `) + "@legal_basis(\"AU-TIP\")\n"
	}
	return head + effect + " (" + pick("principal", `principal == Member::"ID"`, `principal == Member::"TH"`, "principal is Member", `principal in Member::"ID"`) + ", " +
		pick("action", `action == Action::"count"`, `action in [Action::"ids"]`, `action in Action::"ids"`, `action in [Action::"count", Action::"ids"]`) + ", resource) " +
		pick("when", "unless") + " { " + condition + " };\n"
}

func randomRequest(r *rand.Rand) Request {
	q := question()
	q.Partner = []string{"ID", "TH", "MY"}[r.IntN(3)]
	q.PartnerRole = []string{"state", "ngo"}[r.IntN(2)]
	q.Kind = equalKinds()[r.IntN(len(equalKinds()))]
	q.Category = indicator.Categories()[r.IntN(len(indicator.Categories()))]
	q.Purpose = []string{"trafficking", "fraud", "tax"}[r.IntN(3)]
	q.ListPurpose = []string{q.Purpose, "fraud"}[r.IntN(2)]
	q.Minors = r.IntN(5) == 0
	q.Learner = Learner(1 + r.IntN(2))
	q.Asked = terms.Mode(r.IntN(3))
	q.OwnItems, q.PartnerItems = int64(64<<r.IntN(10)), int64(64<<r.IntN(10))
	q.ItemsToday = int64(r.IntN(30000))
	return q
}

// equalKinds are those that are matched by equality.
func equalKinds() []indicator.Kind {
	return slices.DeleteFunc(indicator.Kinds(), indicator.Kind.Similar)
}

// Similarity is opened by permits that say from which score on, for single rounds and ids alone;
// the strictest of them counts. Rules for equality do not hear of a score.
func TestSimilarity(t *testing.T) {
	const all = `permit (principal, action, resource);`
	names := func(change ...func(*Request)) Request {
		return question(append([]func(*Request){func(r *Request) { r.Kind = indicator.Person }}, change...)...)
	}
	for name, c := range map[string]struct {
		rules string
		q     Request
		mode  terms.Mode
		score uint32
	}{
		"no score":           {pass("a", all), names(), terms.None, 0},
		"a score":            {pass("a", `@min_score("2000") `+all), names(), terms.IDs, 2000},
		"two scores":         {pass("a", `@min_score("2000") `+all) + pass("b", `@min_score("2500") `+all), names(), terms.IDs, 2500},
		"one without":        {pass("a", `@min_score("2000") `+all) + pass("b", `@min_items("65536") `+all), names(), terms.IDs, 2000},
		"one for counts":     {pass("a", `@min_score("2000") permit (principal, action == Action::"count", resource);`), names(), terms.None, 0},
		"counted":            {pass("a", `@min_score("2000") `+all), names(func(r *Request) { r.Asked = terms.Count }), terms.None, 0},
		"standing":           {pass("a", `@min_score("2000") `+all), names(func(r *Request) { r.Standing = true }), terms.None, 0},
		"forbidden":          {pass("a", `@min_score("2000") `+all) + `@title("f") forbid (principal, action, resource);`, names(), terms.None, 0},
		"pairs left":         {pass("a", `@min_score("1") permit (principal, action, resource) when { context.pairs_today + context.pairs <= 100 };`), names(func(r *Request) { r.Pairs, r.PairsToday = 60, 40 }), terms.IDs, 1},
		"pairs used up":      {pass("a", `@min_score("1") permit (principal, action, resource) when { context.pairs_today + context.pairs <= 100 };`), names(func(r *Request) { r.Pairs, r.PairsToday = 60, 41 }), terms.None, 0},
		"pairs out of range": {pass("a", `@min_score("1") `+all), names(func(r *Request) { r.Pairs = -1 }), terms.None, 0},
		"equality":           {pass("a", `@min_score("2000") `+all), question(), terms.IDs, 0},
	} {
		d := load(t, c.rules).Decide(c.q)
		if d.Mode != c.mode || d.Duties.MinScore != c.score {
			t.Errorf("%s: mode %s from a score of %d: %+v", name, d.Mode, d.Duties.MinScore, d.Grounds)
		}
	}
	why := strings.Join(load(t, pass("a", all)).Why(names()), "\n")
	if !strings.Contains(why, "@min_score") {
		t.Errorf("what is missing is not said:\n%s", why)
	}
}

// reference decides with Cedar over every rule as it is written, without index.
func reference(b *Bundle, q Request) terms.Mode {
	if len(b.unregistered(q)) > 0 {
		return terms.None
	}
	all := cedar.PolicyMap{}
	for _, r := range b.rules {
		all[cedar.PolicyID(r.id)] = r.policy
	}
	world, question := q.cedar()
	for mode := q.Asked; mode > terms.None; mode-- {
		question.Action = action(mode)
		decision, diagnostic := cedar.Authorize(all, world, question)
		if len(diagnostic.Errors) > 0 {
			return terms.None
		}
		least := uint32(0)
		for _, reason := range diagnostic.Reasons {
			least = max(least, b.byID[string(reason.PolicyID)].duties.MinItems)
		}
		if decision == cedar.Allow && enough(q, least) {
			return mode
		}
	}
	return terms.None
}

func TestPropertiesOfDecisions(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	opened := 0
	for range 60 {
		var permits, forbids string
		for i := range 1 + r.IntN(5) {
			permits += randomRule(r, "permit", "permit "+string(rune('a'+i)))
		}
		forbids = randomRule(r, "forbid", "forbid")
		open := load(t, permits)
		closed := load(t, permits+forbids)
		split, err := Parse(with(files(forbids), "z.cedar", permits))
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			q := randomRequest(r)
			a, b, c := open.Decide(q), closed.Decide(q), split.Decide(q)
			switch {
			case b.Mode != reference(closed, q):
				t.Fatalf("Cedar over all rules says %v: %+v by\n%s%s", reference(closed, q), b, permits, forbids)
			case a.Mode > q.Asked:
				t.Fatalf("more than asked: %+v by\n%s", a, permits)
			case a.Mode != terms.None && open.Decide(question(func(r *Request) { *r = q; r.Asked = a.Mode })).Mode != a.Mode:
				t.Fatalf("asking for what was granted gives something else: %+v by\n%s", a, permits)
			case b.Mode > a.Mode:
				t.Fatalf("a forbid opened something: %+v by\n%s%s", b, permits, forbids)
			case b.Mode != c.Mode || b.Duties != c.Duties:
				t.Fatalf("the order of rules matters: %+v, %+v by\n%s%s", b, c, permits, forbids)
			case a.Mode != terms.None && (slices.Contains([]indicator.Category{"victim", "witness", "missing"}, q.Category) || q.Minors || q.Purpose != q.ListPurpose || q.Purpose == "tax"):
				t.Fatalf("the baseline is open: %+v by\n%s", a, permits)
			case a.Mode == terms.None && a.Duties != noDuties(), len(a.Errors) != 0:
				t.Fatalf("a refusal with duties, or errors: %+v", a)
			}
			if a.Mode != terms.None {
				opened++
			}
		}
	}
	if opened < 100 {
		t.Errorf("only %d requests were permitted: the test shows little", opened)
	}
}
