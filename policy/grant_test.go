package policy

import (
	"math/rand/v2"
	"slices"
	"testing"

	"entente/protocol/indicator"
	"entente/protocol/terms"
)

// widened are terms with these duties and every mode.
func widened(d Duties) terms.Terms {
	return terms.Merge(terms.Widest(terms.IDs, terms.IDs), withModes(d.terms()))
}

func withModes(t terms.Terms) terms.Terms {
	t.Proposer, t.Responder = terms.IDs, terms.IDs
	return t
}

func proposal(change ...func(*Proposal)) Proposal {
	p := Proposal{
		Self: "AU", Partner: "ID", PartnerRole: "state", Proposer: true, Kind: "phone", Purpose: "trafficking",
		Lists:   []List{{Category: "suspect", Purpose: "trafficking", Basis: "AU-TIP"}},
		AskedUs: terms.IDs, AskedPartner: terms.IDs, OwnItems: 10240, PartnerItems: 10240, Now: noon,
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

func TestGrantOfThePilot(t *testing.T) {
	b := pilot(t)
	for name, c := range map[string]struct {
		change              func(*Proposal)
		proposer, responder terms.Mode
	}{
		"both which":          {func(*Proposal) {}, terms.IDs, terms.IDs},
		"we learn, proposing": {func(p *Proposal) { p.AskedPartner = terms.None }, terms.IDs, terms.None},
		"we learn, answering": {func(p *Proposal) { p.AskedPartner, p.Proposer = terms.None, false }, terms.None, terms.IDs},
		"mixed, proposing":    {func(p *Proposal) { p.AskedPartner = terms.Count }, terms.IDs, terms.Count},
		"mixed, answering":    {func(p *Proposal) { p.AskedPartner, p.Proposer = terms.Count, false }, terms.Count, terms.IDs},
		"partner's size open": {func(p *Proposal) { p.PartnerItems = 0 }, terms.IDs, terms.IDs},
		"at the daily limit":  {func(p *Proposal) { p.ItemsToday = PilotItemsPerDay - 10240 }, terms.IDs, terms.IDs},
		"beyond it":           {func(p *Proposal) { p.ItemsToday = PilotItemsPerDay - 10239 }, terms.None, terms.None},
		"beyond it by them":   {func(p *Proposal) { p.PartnerItems = 262144 }, terms.None, terms.None},
		"nothing asked":       {func(p *Proposal) { p.AskedUs, p.AskedPartner = terms.None, terms.None }, terms.None, terms.None},
		"no list":             {func(p *Proposal) { p.Lists = nil }, terms.None, terms.None},
		"other partner":       {func(p *Proposal) { p.Partner = "TH" }, terms.None, terms.None},
		"other basis":         {func(p *Proposal) { p.Lists[0].Basis = "XX" }, terms.None, terms.None},
		"a list of victims":   {func(p *Proposal) { p.Lists[0].Category = "victim" }, terms.None, terms.None},
		"one list of minors": {func(p *Proposal) {
			p.Lists = append(p.Lists, p.Lists[0])
			p.Lists[1].Minors = true
		}, terms.None, terms.None},
	} {
		g := b.Grant(proposal(c.change))
		if g.Terms.Proposer != c.proposer || g.Terms.Responder != c.responder || g.Open() != (c.proposer+c.responder > 0) {
			t.Errorf("%s: %+v, want proposer %v, responder %v; grounds %v", name, g.Terms, c.proposer, c.responder, g.Grounds())
		}
		if g.Approval {
			t.Errorf("%s: the pilot asks for an approval", name)
		}
		if err := g.Terms.Validate(); err != nil {
			t.Errorf("%s: terms do not pass on the wire: %v", name, err)
		}
		if len(g.Errors()) != 0 {
			t.Errorf("%s: errors %q", name, g.Errors())
		}
	}
}

func TestGrantTermsOfTheTwoSidesMeet(t *testing.T) {
	au := pilot(t)
	id := pilot(t, func(o *PilotOptions) { o.Partners, o.Basis, o.ExactCount = []string{"AU"}, "ID-TIP", true })
	offered := au.Grant(proposal(func(p *Proposal) { p.PartnerItems = 0 })).Terms
	answering := proposal(func(p *Proposal) {
		p.Self, p.Partner, p.Proposer = "ID", "AU", false
		p.Lists[0].Basis = "ID-TIP"
		p.AskedUs, p.AskedPartner = offered.Responder, offered.Proposer
	})
	merged := terms.Merge(offered, id.Grant(answering).Terms)
	want := terms.Terms{Proposer: terms.IDs, Responder: terms.IDs, MinItems: 64, RetentionDays: 90, EpsilonMilli: 1000, MinCount: 11}
	if merged != want || !merged.Within(offered) {
		t.Errorf("merged %+v, want %+v", merged, want)
	}
	// When the partner's size is known, the proposer decides once more.
	again := au.Grant(proposal(func(p *Proposal) { p.AskedUs, p.AskedPartner = merged.Proposer, merged.Responder }))
	if !merged.Within(again.Terms) {
		t.Errorf("the agreement %+v is not within the second grant %+v", merged, again.Terms)
	}
}

func TestGrantExactOnlyIfBothSay(t *testing.T) {
	exact := pilot(t, func(o *PilotOptions) { o.ExactCount = true })
	noisy := pilot(t)
	asked := proposal(func(p *Proposal) { p.AskedUs, p.AskedPartner = terms.Count, terms.None })
	a, b := exact.Grant(asked).Terms, noisy.Grant(asked).Terms
	if a.EpsilonMilli != 0 || b.EpsilonMilli != DefaultEpsilonMilli {
		t.Fatalf("epsilon %d and %d", a.EpsilonMilli, b.EpsilonMilli)
	}
	if terms.Merge(a, b).EpsilonMilli != DefaultEpsilonMilli || terms.Merge(a, a).EpsilonMilli != 0 {
		t.Error("noise does not follow both rules")
	}
}

func TestGrantOverSeveralLists(t *testing.T) {
	b := load(t, pass("suspects", `@approval("none") @retention_days("365") permit (principal, action, resource) when { resource.category == Category::"suspect" };`)+
		pass("convicted", `@approval("none") @retention_days("10") permit (principal, action == Action::"count", resource) when { resource.category == Category::"convicted" };`)+
		pass("suspects, counted", `@retention_days("20") permit (principal, action == Action::"count", resource) when { resource.category == Category::"suspect" };`))
	two := func(p *Proposal) {
		p.Lists = append(p.Lists, List{Category: "convicted", Purpose: "trafficking", Basis: "AU-TIP"})
		p.AskedPartner = terms.None
	}
	one := b.Grant(proposal(func(p *Proposal) { p.AskedPartner = terms.None }))
	if one.Terms.Proposer != terms.IDs || one.Terms.RetentionDays != 365 || one.Approval {
		t.Errorf("one list: %+v", one)
	}
	g := b.Grant(proposal(two))
	if g.Terms.Proposer != terms.Count || g.Terms.RetentionDays != 10 || !g.Approval {
		t.Errorf("two lists run at the lower mode, with the duties of that mode: %+v", g.Terms)
	}
	if got := ids(g.Grounds()); !slices.Equal(got, []string{"rules#1", "rules#3", "rules#2"}) {
		t.Errorf("grounds %v", got)
	}
}

func TestClosedDirectionLaysNoDuty(t *testing.T) {
	b := load(t, pass("we learn", `@approval("none") @retention_days("365") permit (principal, action, resource) when { context.learner == Learner::"us" };`)+
		pass("they learn", `@retention_days("1") @min_items("999999") permit (principal, action, resource) when { context.learner == Learner::"partner" };`))
	g := b.Grant(proposal())
	if g.Terms.Proposer != terms.IDs || g.Terms.Responder != terms.None || g.Terms.RetentionDays != 365 || g.Approval {
		t.Errorf("grant %+v, approval %v", g.Terms, g.Approval)
	}
}

func TestGrantReportsErrors(t *testing.T) {
	b := load(t, pass("open", openAll)+`@title("closed") forbid (principal, action, resource) when { context.items * 9223372036854775807 > 0 };`)
	g := b.Grant(proposal())
	if g.Open() || len(g.Errors()) != 1 {
		t.Errorf("grant %+v with errors %q", g.Terms, g.Errors())
	}
	if g := b.Grant(Proposal{}); g.Open() || g.Terms.Validate() != nil {
		t.Errorf("an empty proposal gives %+v", g)
	}
}

func TestCounted(t *testing.T) {
	if Counted(64, 128) != 128 || Counted(128, 64) != 128 || Counted(64, 0) != 64 {
		t.Error("the larger list counts")
	}
}

// TestGrantIsTheMeetOfItsDecisions compares grants over several lists with single
// decisions, merged here by hand.
func TestGrantIsTheMeetOfItsDecisions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	opened := 0
	for range 60 {
		var rules string
		for i := range 1 + r.IntN(4) {
			rules += randomRule(r, "permit", "permit "+string(rune('a'+i)))
		}
		b := load(t, rules)
		for range 30 {
			p := proposal(func(p *Proposal) {
				p.Lists = nil
				p.Proposer = r.IntN(2) == 0
				p.AskedUs, p.AskedPartner = terms.Mode(r.IntN(3)), terms.Mode(r.IntN(3))
				p.ItemsToday = int64(r.IntN(30_000))
				for range 1 + r.IntN(3) {
					category := []indicator.Category{"suspect", "convicted", "victim"}[r.IntN(20)/9]
					p.Lists = append(p.Lists, List{Category: category, Purpose: "trafficking", Basis: "AU-TIP"})
				}
			})
			g := b.Grant(p)
			want := map[Learner]terms.Mode{Us: p.AskedUs, Partner: p.AskedPartner}
			for learner, mode := range want {
				for _, l := range p.Lists {
					mode = min(mode, b.Decide(p.request(l, learner, mode)).Mode)
				}
				// Lists decided before the mode fell must permit the lower one too.
				for _, l := range p.Lists {
					mode = min(mode, b.Decide(p.request(l, learner, mode)).Mode)
				}
				want[learner] = mode
			}
			us, partner := g.Terms.Proposer, g.Terms.Responder
			if !p.Proposer {
				us, partner = partner, us
			}
			if us != want[Us] || partner != want[Partner] {
				t.Fatalf("%+v gives us %v and the partner %v, want %v by\n%s", p, us, partner, want, rules)
			}
			if g.Open() {
				opened++
			}
			for _, d := range g.Decisions {
				closed := d.Request.Learner == Us && us == terms.None || d.Request.Learner == Partner && partner == terms.None
				if !closed && d.Mode != terms.None && (!g.Terms.Within(widened(d.Duties)) || d.Duties.Approval && !g.Approval) {
					t.Fatalf("grant %+v is looser than the decision %+v", g.Terms, d)
				}
			}
		}
	}
	if opened < 100 {
		t.Errorf("only %d proposals were granted: the test shows little", opened)
	}
}
