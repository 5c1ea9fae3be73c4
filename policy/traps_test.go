package policy

import (
	"strings"
	"testing"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"entente/protocol/terms"
)

// Each test shows first what the language does, so that the test fails when the
// library changes, and then that a bundle is safe from it.

func TestTrapFailingForbidIsSkipped(t *testing.T) {
	b := load(t, pass("open", openAll)+`@title("closed") forbid (principal, action, resource) when { context.items * 9223372036854775807 > 0 };`)
	world, q := question().cedar()
	q.Action = action(terms.IDs)
	decision, diagnostic := cedar.Authorize(b.rules, world, q)
	if decision != cedar.Allow || len(diagnostic.Errors) != 1 {
		t.Fatalf("Cedar says %v with %d errors: the trap is gone", decision, len(diagnostic.Errors))
	}
	d := b.Decide(question())
	if d.Mode != terms.None || len(d.Errors) != 1 || !strings.Contains(d.Errors[0], `"closed"`) {
		t.Errorf("decision %v with errors %q, want a refusal that names the rule", d.Mode, d.Errors)
	}
	if d.Duties != noDuties() {
		t.Errorf("a refusal has duties %+v", d.Duties)
	}
}

func TestTrapFailingForbidAtTheLowerModeIsNotReached(t *testing.T) {
	// An error for the mode asked first refuses all: no fall back to count.
	b := load(t, pass("open", openAll)+`@title("closed") forbid (principal, action == Action::"ids", resource) when { context.items * 9223372036854775807 > 0 };`)
	if d := b.Decide(question()); d.Mode != terms.None || len(d.Errors) == 0 {
		t.Errorf("mode %v, errors %q", d.Mode, d.Errors)
	}
	if d := b.Decide(question(func(r *Request) { r.Asked = terms.Count })); d.Mode != terms.Count || len(d.Errors) != 0 {
		t.Errorf("the rule is not about counts, but mode is %v, errors %q", d.Mode, d.Errors)
	}
}

func TestTrapFailingPermitDeniesToo(t *testing.T) {
	b := load(t, pass("open", openAll)+pass("broken", `permit (principal, action, resource) when { context.items + 9223372036854775807 > 0 };`))
	if d := b.Decide(question()); d.Mode != terms.None || len(d.Errors) != 1 {
		t.Errorf("mode %v, errors %q, want a refusal", d.Mode, d.Errors)
	}
}

func TestTrapMissingEntity(t *testing.T) {
	b := load(t, pass("open", openAll)+`@title("no organisations") forbid (principal, action, resource) when { principal.role != Role::"state" };`)
	_, q := question(func(r *Request) { r.PartnerRole = "ngo" }).cedar()
	q.Action = action(terms.IDs)
	decision, diagnostic := cedar.Authorize(b.rules, types.EntityMap{}, q)
	if decision != cedar.Allow || len(diagnostic.Errors) == 0 {
		t.Fatalf("Cedar says %v with %d errors: the trap is gone", decision, len(diagnostic.Errors))
	}
	if v := b.judge(question(), types.EntityMap{}, q, terms.IDs); v.allowed || len(v.errors) == 0 {
		t.Errorf("verdict %+v, want errors and no permission", v)
	}
	if d := b.Decide(question(func(r *Request) { r.PartnerRole = "ngo" })); d.Mode != terms.None || len(d.Errors) != 0 {
		t.Errorf("with the entity the forbid must decide: %v, %q", d.Mode, d.Errors)
	}
}

func TestTrapFactsOutsideTheSchema(t *testing.T) {
	b := load(t, pass("open", openAll))
	world, q := question().cedar()
	q.Action = action(terms.IDs)
	if err := b.conforms(world, q); err != nil {
		t.Fatal(err)
	}
	short := q
	short.Context = types.NewRecord(types.RecordMap{"items": types.Long(1)})
	if b.conforms(world, short) == nil {
		t.Error("a context without its facts conforms")
	}
	bare := *world
	bare.list.Attributes = types.NewRecord(types.RecordMap{})
	if b.conforms(&bare, q) == nil {
		t.Error("a list without attributes conforms")
	}
	wrong := *world
	wrong.member.Attributes = types.NewRecord(types.RecordMap{"role": types.String("state")})
	if b.conforms(&wrong, q) == nil {
		t.Error("a role that is a string conforms")
	}
}

// validates reports what the library's strict validator thinks of one rule.
func validates(t *testing.T, text string) bool {
	t.Helper()
	e, err := newEngine()
	if err != nil {
		t.Fatal(err)
	}
	var p cedar.Policy
	if err := p.UnmarshalCedar([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return e.validator.Policy("", (*ast.Policy)(p.AST())) == nil
}

func TestTrapMisspeltNames(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{`resource.kind == Kind::"phnoe"`, `no Kind "phnoe"`},
		{`resource.category == Category::"victims"`, `no Category "victims"`},
		{`context.learner == Learner::"them"`, `no Learner "them"`},
		{`principal.role == Role::"State"`, `no Role "State"`},
		{`context.purpose == Purpose::"traficking"`, `no Purpose "traficking"`},
		{`resource.basis == Basis::"AU-TPI"`, `no Basis "AU-TPI"`},
		{`principal == Member::"DI"`, `no Member "DI"`},
		{`[Member::"ID", Member::"HT"].contains(principal)`, `no Member "HT"`},
		{`resource == List::"wanted"`, `no List "wanted"`},
		{`false && resource.kind == Kind::"hidden"`, `no Kind "hidden"`},
	} {
		rule := "forbid (principal, action, resource) when {\n" + c.condition + "\n};"
		if !validates(t, rule) {
			t.Errorf("%s: the validator refuses it by itself: the trap is gone", c.condition)
		}
		if fs := findings(t, files("@title(\"x\")\n"+rule)); !has(fs, 3, Error, c.want) {
			t.Errorf("%s: findings %v, want %q in line 3", c.condition, fs, c.want)
		}
	}
}

func TestTrapComparisonsThatAreNeverTrue(t *testing.T) {
	for _, condition := range []string{
		`resource.kind == Category::"victim"`,
		`resource.category != Kind::"phone"`,
		`context.purpose == resource.basis`,
		`resource.category in Kind::"phone"`,
		`[Kind::"phone"].contains(resource.category)`,
		`resource.category in [Kind::"phone"]`,
		`principal.role == Learner::"us"`,
		`context.learner is Member`,
		`principal == resource`,
		`context.items > 5 || !(resource.kind == Category::"victim")`,
	} {
		fs := findings(t, files(`@title("x") forbid (principal, action, resource) when { `+condition+` };`))
		if !has(fs, 1, Error, "never true") && !has(fs, 1, Error, "does not fit the schema") {
			t.Errorf("%s: findings %v", condition, fs)
		}
	}
	if !validates(t, `forbid (principal, action, resource) when { resource.kind == Category::"victim" };`) {
		t.Error("the validator refuses a kind that is a category by itself: the trap is gone")
	}
	load(t, `@title("fine") forbid (principal, action, resource) when {
		resource.kind == Kind::"phone" && resource.category in [Category::"suspect"] && context.learner is Learner &&
		[Member::"ID"].contains(principal) && [Role::"ngo"].containsAny([principal.role]) && context.purpose == resource.purpose };`)
}

func TestTrapAnnotationsHaveNoMeaningInCedar(t *testing.T) {
	rule := "@title(\"x\")\n@legal_basis(\"AU-TIP\")\n@retention_day(\"1\")\npermit (principal, action, resource);"
	if !validates(t, rule) {
		t.Fatal("the validator refuses an unknown annotation: the trap is gone")
	}
	if fs := findings(t, files(rule)); !has(fs, 3, Error, "unknown annotation @retention_day") {
		t.Errorf("findings %v", fs)
	}
}

// TestNoBundleRelaxesTheBaseline tries to open protected lists with every device
// that a bundle has.
func TestNoBundleRelaxesTheBaseline(t *testing.T) {
	attempts := []string{
		pass("all", openAll),
		pass("named", `permit (principal == Member::"ID", action in [Action::"count", Action::"ids"], resource) when { resource.category == Category::"victim" };`),
		pass("minors", `permit (principal, action, resource) when { resource.minors || true };`),
		pass("purpose", `permit (principal, action, resource) unless { context.purpose == resource.purpose };`),
	}
	b := load(t, strings.Join(attempts, "\n"))
	for name, c := range map[string]struct {
		change func(*Request)
		rule   string
	}{
		"victims":       {func(r *Request) { r.Category = "victim" }, "baseline#1"},
		"witnesses":     {func(r *Request) { r.Category = "witness" }, "baseline#1"},
		"missing":       {func(r *Request) { r.Category = "missing" }, "baseline#1"},
		"minors":        {func(r *Request) { r.Minors = true }, "baseline#2"},
		"other purpose": {func(r *Request) { r.ListPurpose = "fraud" }, "baseline#3"},
		"no purpose":    {func(r *Request) { r.ListPurpose = "" }, "baseline#3"},
	} {
		for _, learner := range []Learner{Us, Partner} {
			d := b.Decide(question(c.change, func(r *Request) { r.Learner = learner }))
			if d.Mode != terms.None || len(d.Errors) != 0 {
				t.Errorf("%s, %s learns: mode %v, errors %q", name, learner, d.Mode, d.Errors)
			}
			if len(d.Grounds) != 2 || d.Grounds[0].Rule != c.rule || !d.Grounds[0].Forbids || d.Grounds[0].Remedy == "" {
				t.Errorf("%s: grounds %+v, want %s", name, d.Grounds, c.rule)
			}
		}
	}
	if fs := findings(t, with(files(""), baselineFile, "")); !has(fs, 0, Error, "neither") {
		t.Errorf("a bundle may bring its own baseline: %v", fs)
	}
}
