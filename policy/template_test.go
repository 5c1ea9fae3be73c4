package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

func TestDenyAllDeniesAll(t *testing.T) {
	for _, version := range []uint64{0, 1, 9, 1 << 63} {
		b, err := Parse(DenyAll(version))
		if err != nil {
			t.Fatal(err)
		}
		if want := min(max(version, 1), 1<<63-1); b.Version() != want {
			t.Errorf("version %d, want %d", b.Version(), want)
		}
		if d := b.Decide(question()); d.Mode != terms.None || len(d.Errors) != 0 {
			t.Errorf("decision %+v", d)
		}
		if len(b.Warnings()) != 0 || len(b.Rules()) != 3 {
			t.Errorf("warnings %v, %d rules", b.Warnings(), len(b.Rules()))
		}
	}
}

// TestTheExampleInTheDenyTemplateLoads uncomments the rule that the template shows.
func TestTheExampleInTheDenyTemplateLoads(t *testing.T) {
	var rule strings.Builder
	for line := range strings.Lines(string(DenyAll(1)[rulesFile])) {
		if text, ok := strings.CutPrefix(line, "//"); ok && (rule.Len() > 0 || strings.HasPrefix(text, " @")) {
			rule.WriteString(text)
			if strings.HasPrefix(text, " };") {
				break
			}
		}
	}
	if b := load(t, rule.String()); len(b.Rules()) != 4 || b.Decide(question(func(r *Request) { r.OwnItems, r.PartnerItems = 64, 64 })).Mode != terms.IDs {
		t.Errorf("the example permits nothing:\n%s", rule.String())
	}
}

func TestPilotPermitsWhatItSays(t *testing.T) {
	b := pilot(t, func(o *PilotOptions) { o.Partners = []string{"ID", "TH"} })
	for _, partner := range []string{"ID", "TH", "MY"} {
		for _, kind := range indicator.Kinds() {
			for _, category := range indicator.Categories() {
				for _, learner := range []Learner{Us, Partner} {
					for _, asked := range []terms.Mode{terms.Count, terms.IDs} {
						d := b.Decide(question(func(r *Request) {
							r.Partner, r.Kind, r.Category, r.Learner, r.Asked = partner, kind, category, learner, asked
						}))
						want := terms.None
						if partner != "MY" && category == indicator.Suspect {
							want = asked
						}
						if kind.Similar() && asked == terms.Count {
							want = terms.None
						}
						if d.Mode != want {
							t.Errorf("%s %s %s %s: %v, want %v", partner, kind, category, learner, d.Mode, want)
						}
					}
				}
			}
		}
	}
	d := b.Decide(question())
	if want := (Duties{64, 90, 1000, 11, false, 0}); d.Duties != want {
		t.Errorf("duties %+v, want %+v", d.Duties, want)
	}
	if fs := b.Warnings(); len(fs) != 0 {
		t.Errorf("the template has findings: %v", fs)
	}
	if b.Version() != 1 || pilot(t, func(o *PilotOptions) { o.Version = 5 }).Version() != 5 {
		t.Error("the version is not the one that was asked for")
	}
}

func TestPilotRefusesWhatCouldBecomeRules(t *testing.T) {
	for name, o := range map[string]PilotOptions{
		"no partner":         {Basis: "B"},
		"empty partner":      {Partners: []string{""}, Basis: "B"},
		"partner twice":      {Partners: []string{"ID", "ID"}, Basis: "B"},
		"partner with quote": {Partners: []string{`ID", action, resource); //`}, Basis: "B"},
		"no basis":           {Partners: []string{"ID"}},
		"basis in two lines": {Partners: []string{"ID"}, Basis: "B\n"},
		"title with quote":   {Partners: []string{"ID"}, Basis: "B", BasisTitle: `a" b`},
		"title with escape":  {Partners: []string{"ID"}, Basis: "B", BasisTitle: `a\u0000`},
		"title in two lines": {Partners: []string{"ID"}, Basis: "B", BasisTitle: "a\nb"},
		"version too large":  {Partners: []string{"ID"}, Basis: "B", Version: 1 << 63},
	} {
		if fs, err := Pilot(o); err == nil {
			t.Errorf("%s: %v", name, fs)
		}
	}
	fs, err := Pilot(PilotOptions{Partners: []string{"ID"}, Basis: "B", BasisTitle: "Gesetz über Menschenhandel, § 4"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(fs); err != nil {
		t.Error(err)
	}
}

// TestBaselineVersion fails when the embedded rules change without a new number.
func TestBaselineVersion(t *testing.T) {
	digests := map[int]string{
		1: "5fe3cce1b7ecbe86ab2e58e6c83fe58f98d9100aac809a1b8ce134b15508298b",
	}
	sum := sha256.Sum256([]byte(baselineText))
	if got := hex.EncodeToString(sum[:]); digests[BaselineVersion] != got {
		t.Errorf("the baseline has digest %s: give it a new version and note the digest here", got)
	}
}

// TestSchemaFollowsTheIndicators: kinds come by one file each, without a change here.
func TestSchemaFollowsTheIndicators(t *testing.T) {
	e, err := newEngine()
	if err != nil {
		t.Fatal(err)
	}
	values := func(name string) (out []string) {
		for _, v := range e.schema.Enums[typeKind].Values {
			if name == "Kind" {
				out = append(out, string(v.ID))
			}
		}
		for _, v := range e.schema.Enums[typeCategory].Values {
			if name == "Category" {
				out = append(out, string(v.ID))
			}
		}
		return out
	}
	if !slices.Equal(values("Kind"), texts(indicator.Kinds())) || !slices.Equal(values("Category"), texts(indicator.Categories())) {
		t.Errorf("schema has %v and %v", values("Kind"), values("Category"))
	}
	if len(e.schema.Actions) != 2 {
		t.Errorf("%d actions", len(e.schema.Actions))
	}
}
