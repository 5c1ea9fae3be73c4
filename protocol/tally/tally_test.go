package tally

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"entente/crypto/sign"
	"entente/protocol/checkpoint"
	"entente/protocol/wire"
)

const testNow = int64(1_800_000_000_000)

func testKey(t testing.TB, b byte) *sign.PrivateKey {
	t.Helper()
	k, err := sign.NewPrivateKey(bytes.Repeat([]byte{b}, sign.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func labels(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// good is a proposal with nothing wrong.
func good() Proposal {
	return Proposal{
		Version: Version, Tally: bytes.Repeat([]byte{3}, IDSize), Roster: make([]byte, 32), Collector: "IOM",
		Created: testNow, Deadline: testNow + maxSpan, Purpose: "trafficking", Basis: "law", Rules: make([]byte, 32),
		Question: Question{Kind: Corridors, Dimensions: []Dimension{
			{Name: "origin", Labels: []string{"AU", "ID", "NZ"}}, {Name: "destination", Labels: []string{"AU", "ID"}}, {Name: "quarter", Labels: []string{"2027-Q1"}},
		}},
		Contributors: []string{"AU", "ID", "NZ", "TH"}, Holders: []string{"AU", "ID", "IOM", "TH"},
		Threshold: 3, Minimum: 3, Cap: 2, EpsilonMilli: 1000, NoiseOf: 2, Limit: MinLimit,
	}
}

func wantCode(t *testing.T, what string, err error, want wire.Code) {
	t.Helper()
	var broke *wire.ProtocolError
	if !errors.As(err, &broke) || broke.Code != want {
		t.Errorf("%s: error is %v, want code %d (%s)", what, err, want, want)
	}
}

// TestProposals has each rule broken, at its edge.
func TestProposals(t *testing.T) {
	if err := good().Check([32]byte{}, testNow); err != nil {
		t.Fatal(err)
	}
	long := string(bytes.Repeat([]byte("a"), 65))
	for what, c := range map[string]struct {
		change func(*Proposal)
		code   wire.Code
	}{
		"version":                {func(p *Proposal) { p.Version = 2 }, wire.UnsupportedVersion},
		"identifier":             {func(p *Proposal) { p.Tally = p.Tally[1:] }, wire.Malformed},
		"short roster":           {func(p *Proposal) { p.Roster = nil }, wire.Malformed},
		"another roster":         {func(p *Proposal) { p.Roster = bytes.Repeat([]byte{1}, 32) }, wire.OtherRoster},
		"rules":                  {func(p *Proposal) { p.Rules = make([]byte, 33) }, wire.Malformed},
		"no collector":           {func(p *Proposal) { p.Collector = "" }, wire.Malformed},
		"no purpose":             {func(p *Proposal) { p.Purpose = "" }, wire.Malformed},
		"long purpose":           {func(p *Proposal) { p.Purpose = long }, wire.Malformed},
		"basis that turns":       {func(p *Proposal) { p.Basis = "law\u202e" }, wire.Malformed},
		"never made":             {func(p *Proposal) { p.Created = 0 }, wire.Malformed},
		"deadline first":         {func(p *Proposal) { p.Deadline = p.Created }, wire.Malformed},
		"too long":               {func(p *Proposal) { p.Deadline++ }, wire.Malformed},
		"from the future":        {func(p *Proposal) { p.Created += maxSkew + 1; p.Deadline++ }, wire.Clock},
		"over":                   {func(p *Proposal) { p.Created, p.Deadline = testNow-1, testNow }, wire.Expired},
		"two contributors":       {func(p *Proposal) { p.Contributors = p.Contributors[:2]; p.Minimum = 2; p.NoiseOf = 1 }, wire.Malformed},
		"a contributor twice":    {func(p *Proposal) { p.Contributors = []string{"AU", "AU", "ID"} }, wire.Malformed},
		"contributors unsorted":  {func(p *Proposal) { p.Contributors = []string{"ID", "AU", "NZ"} }, wire.Malformed},
		"a nameless contributor": {func(p *Proposal) { p.Contributors = []string{"", "AU", "ID"} }, wire.Malformed},
		"65 contributors":        {func(p *Proposal) { p.Contributors = slices.Sorted(slices.Values(labels("c", 65))) }, wire.Malformed},
		"one holder":             {func(p *Proposal) { p.Holders, p.Threshold = []string{"AU"}, 1 }, wire.Malformed},
		"65 holders":             {func(p *Proposal) { p.Holders, p.Threshold = slices.Sorted(slices.Values(labels("h", 65))), 64 }, wire.Malformed},
		"threshold too low":      {func(p *Proposal) { p.Threshold = 2 }, wire.AboveGrant},
		"threshold too high":     {func(p *Proposal) { p.Threshold = 5 }, wire.AboveGrant},
		"minimum of two":         {func(p *Proposal) { p.Minimum, p.NoiseOf = 2, 1 }, wire.AboveGrant},
		"minimum above all":      {func(p *Proposal) { p.Minimum = 5 }, wire.AboveGrant},
		"no cap":                 {func(p *Proposal) { p.Cap = 0 }, wire.Malformed},
		"cap too high":           {func(p *Proposal) { p.Cap = MaxCap + 1 }, wire.Malformed},
		"collector contributes":  {func(p *Proposal) { p.Contributors = []string{"AU", "ID", "IOM", "NZ"} }, wire.AboveGrant},
		"noise without room":     {func(p *Proposal) { p.EpsilonMilli, p.Cap = 12, MaxCap }, wire.Malformed},
		"epsilon too low":        {func(p *Proposal) { p.EpsilonMilli = 9 }, wire.Malformed},
		"epsilon too high":       {func(p *Proposal) { p.EpsilonMilli = 10_001 }, wire.Malformed},
		"noise of nobody":        {func(p *Proposal) { p.NoiseOf = 0 }, wire.Malformed},
		"noise of more":          {func(p *Proposal) { p.NoiseOf = 3 }, wire.Malformed},
		"shares of no noise":     {func(p *Proposal) { p.EpsilonMilli = 0 }, wire.Malformed},
		"limit":                  {func(p *Proposal) { p.Limit = MinLimit - 1 }, wire.AboveGrant},
		"limit above all":        {func(p *Proposal) { p.Limit = MaxMembers*MaxCount + 1 }, wire.AboveGrant},
		"no question":            {func(p *Proposal) { p.Question = Question{Kind: Corridors} }, wire.Malformed},
	} {
		p := good()
		c.change(&p)
		wantCode(t, what, p.Check([32]byte{}, testNow), c.code)
	}
	for what, change := range map[string]func(*Proposal){
		"no noise":        func(p *Proposal) { p.EpsilonMilli, p.NoiseOf = 0, 0 },
		"the largest cap": func(p *Proposal) { p.Cap = MaxCap },
		"the most noise":  func(p *Proposal) { p.EpsilonMilli, p.Cap = 13, MaxCap },
		"the least ε":     func(p *Proposal) { p.EpsilonMilli, p.Cap = 10, 23 },
		"all of all":      func(p *Proposal) { p.Threshold, p.Minimum, p.NoiseOf = 4, 4, 3 },
		"a skewed clock":  func(p *Proposal) { p.Created += maxSkew; p.Deadline += maxSkew },
	} {
		p := good()
		change(&p)
		if err := p.Check([32]byte{}, testNow); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n, want := range map[int]int{2: 2, 3: 3, 4: 3, 7: 5, 45: 30, 64: 43} {
		if got := checkpoint.Quorum(n); got != want {
			t.Errorf("of %d holders %d decrypt, not %d", n, got, want)
		}
	}
}

// TestQuestions has tables at their edges, and each place and its labels turned into the other.
func TestQuestions(t *testing.T) {
	dims := func(names ...string) (out []Dimension) {
		for _, n := range names {
			out = append(out, Dimension{Name: n, Labels: []string{"a", "b"}})
		}
		return out
	}
	for what, q := range map[string]Question{
		"all dimensions":    {Kind: Corridors, Dimensions: dims("origin", "transit", "destination", "form", "quarter")},
		"one":               {Kind: Corridors, Dimensions: dims("form")},
		"counters":          {Kind: Counters, Dimensions: dims("counter")},
		"as many as can be": {Kind: Corridors, Dimensions: []Dimension{{Name: "origin", Labels: labels("o", 3072)}, {Name: "form", Labels: labels("f", 64)}}},
	} {
		if err := q.validate(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		for place := 0; place < q.Cells(); place += 1 + q.Cells()/1000 {
			if got, ok := q.Cell(q.Labels(place)...); !ok || got != place {
				t.Fatalf("%s: cell %d is cell %d", what, place, got)
			}
		}
		if q.Labels(-1) != nil || q.Labels(q.Cells()) != nil {
			t.Errorf("%s: there are cells beyond the edge", what)
		}
	}
	full := Question{Kind: Corridors, Dimensions: []Dimension{{Name: "origin", Labels: labels("o", 3072)}, {Name: "form", Labels: labels("f", 64)}}}
	if full.Cells() != MaxCells || full.Blocks() != 8 {
		t.Errorf("%d cells in %d blocks", full.Cells(), full.Blocks())
	}
	for what, c := range map[string]struct {
		q    Question
		code wire.Code
	}{
		"another kind":      {Question{Kind: 3, Dimensions: dims("counter")}, wire.UnsupportedVersion},
		"no kind":           {Question{Dimensions: dims("counter")}, wire.UnsupportedVersion},
		"another name":      {Question{Kind: Corridors, Dimensions: dims("sex")}, wire.Malformed},
		"another order":     {Question{Kind: Corridors, Dimensions: dims("form", "origin")}, wire.Malformed},
		"twice":             {Question{Kind: Corridors, Dimensions: dims("form", "form")}, wire.Malformed},
		"two counters":      {Question{Kind: Counters, Dimensions: dims("counter", "counter")}, wire.Malformed},
		"corridor counters": {Question{Kind: Corridors, Dimensions: dims("counter")}, wire.Malformed},
		"no labels":         {Question{Kind: Counters, Dimensions: []Dimension{{Name: "counter"}}}, wire.Malformed},
		"a label twice":     {Question{Kind: Counters, Dimensions: []Dimension{{Name: "counter", Labels: []string{"a", "a"}}}}, wire.Malformed},
		"an empty label":    {Question{Kind: Counters, Dimensions: []Dimension{{Name: "counter", Labels: []string{""}}}}, wire.Malformed},
		"too many labels":   {Question{Kind: Counters, Dimensions: []Dimension{{Name: "counter", Labels: labels("l", MaxLabels+1)}}}, wire.TooLarge},
		"too many cells":    {Question{Kind: Corridors, Dimensions: []Dimension{{Name: "origin", Labels: labels("o", 2049)}, {Name: "form", Labels: labels("f", 96)}}}, wire.TooLarge},
		"cells that wrap":   {Question{Kind: Corridors, Dimensions: []Dimension{{Name: "origin", Labels: labels("o", 800)}, {Name: "transit", Labels: labels("t", 800)}, {Name: "destination", Labels: labels("d", 800)}, {Name: "form", Labels: labels("f", 800)}, {Name: "quarter", Labels: labels("q", 800)}}}, wire.TooLarge},
	} {
		wantCode(t, what, c.q.validate(), c.code)
	}
	q := Question{Kind: Corridors, Dimensions: dims("origin", "form")}
	if place, ok := q.Cell("b", "a"); !ok || place != 2 {
		t.Errorf("the last dimension does not run fastest: %d", place)
	}
	for _, l := range [][]string{{"a"}, {"a", "b", "a"}, {"a", "c"}} {
		if _, ok := q.Cell(l...); ok {
			t.Errorf("%v is a cell", l)
		}
	}
}

// TestCounts: no case adds more than agreed, and no cell holds more than it may.
func TestCounts(t *testing.T) {
	c := NewCounts(good())
	for what, e := range map[string]struct {
		cells []int
		want  error
	}{
		"three": {[]int{0, 1, 2}, ErrCap}, "below": {[]int{0, -1}, ErrCount}, "above": {[]int{6}, ErrCount},
	} {
		if err := c.Add(e.cells...); !errors.Is(err, e.want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := c.Values(); slices.Max(got) != 0 {
		t.Errorf("what was refused counts: %v", got)
	}
	if err := errors.Join(c.Add(0, 5), c.Add(5), c.Add(), c.Add(5, 5)); err != nil {
		t.Fatal(err)
	}
	if got := c.Values(); !slices.Equal(got, []uint32{1, 0, 0, 0, 0, 4}) {
		t.Errorf("%v", got)
	}
	c.cells[5] = MaxCount - 1
	if err := c.Add(5, 5); !errors.Is(err, ErrCount) || c.cells[5] != MaxCount-1 {
		t.Errorf("a full cell: %v, %d", err, c.cells[5])
	}
	if err := c.Add(0, 5); err != nil {
		t.Error(err)
	}
	if err := c.Add(0, 5); !errors.Is(err, ErrCount) || c.cells[0] != 2 {
		t.Errorf("a case that is half refused counts half: %v", err)
	}
}

// TestParseCounts has tables that were counted elsewhere at their edges.
func TestParseCounts(t *testing.T) {
	p := good()
	for what, cells := range map[string][]uint32{
		"none": nil, "a cell less": make([]uint32, 5), "a cell more": make([]uint32, 7), "a count too high": {0, 0, 0, 0, 0, MaxCount + 1},
	} {
		if c, err := ParseCounts(p, cells); !errors.Is(err, ErrCount) || c.Fits(p) {
			t.Errorf("%s: %v", what, err)
		}
	}
	cells := []uint32{0, 1, 2, 3, 4, MaxCount}
	c, err := ParseCounts(p, cells)
	if err != nil || !c.Fits(p) || !slices.Equal(c.Values(), cells) {
		t.Fatalf("%v: %v", c.Values(), err)
	}
	cells[0], c.Values()[1] = 9, 9
	if got := c.Values(); got[0] != 0 || got[1] != 1 {
		t.Errorf("the table is shared with its caller: %v", got)
	}
	other := p
	other.Cap++
	if c.Fits(other) || (Counts{}).Fits(p) || (Counts{}).Values() != nil || !errors.Is((Counts{}).Add(0), ErrCount) {
		t.Error("a table fits what it is not for")
	}
}

// TestCountsDoNotPrint formats counts and openings in every way that there is.
func TestCountsDoNotPrint(t *testing.T) {
	c := NewCounts(good())
	if err := c.Add(3, 3); err != nil {
		t.Fatal(err)
	}
	o := Opening{Seed: bytes.Repeat([]byte{0xab}, 32), Counts: c.Values()}
	for what, secret := range map[string]any{"counts": c, "a pointer": &c, "an opening": o, "its pointer": &o} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
			if got := fmt.Sprintf(verb, secret); got != "[counts]" && got != "[opening]" {
				t.Errorf("%s, %s: %q", what, verb, got)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", secret)
		if got := log.String(); !bytes.Contains(log.Bytes(), []byte("[")) || bytes.Contains(log.Bytes(), []byte("171")) {
			t.Errorf("%s: the log says %q", what, got)
		}
		b, err := json.Marshal(secret)
		if what := string(b); err != nil || what != `"[counts]"` && what != `"[opening]"` {
			t.Errorf("JSON of a secret is %q: %v", what, err)
		}
	}
}

func TestSuppress(t *testing.T) {
	got := Suppress([]int32{-1 << 24, -11, -1, 0, 1, 10, 11, 12, 1 << 24}, 11)
	if !slices.Equal(got, []uint32{0, 0, 0, 0, 0, 0, 11, 12, 1 << 24}) {
		t.Errorf("%v", got)
	}
}

// TestSignatures: a body is verified under its own domain and key alone.
func TestSignatures(t *testing.T) {
	k := testKey(t, 1)
	s, err := Sign(k, DomainContribution, Contribution{Key: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	var c Contribution
	if err := Open(s, k.Public(), DomainContribution, &c); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "another domain", Open(s, k.Public(), DomainKeyCall, &c), wire.Altered)
	wantCode(t, "another key", Open(s, testKey(t, 2).Public(), DomainContribution, &c), wire.Altered)
	wantCode(t, "no key", Open(s, nil, DomainContribution, &c), wire.Altered)
	var p Proposal
	wantCode(t, "another message", Open(s, k.Public(), DomainContribution, &p), wire.Malformed)
}

// TestDomainsDiffer: no two signatures, and no two digests, have a label in common.
func TestDomainsDiffer(t *testing.T) {
	all := []sign.Domain{
		DomainProposal, DomainAcceptance, DomainKeyCall, DomainPart, DomainContribution, DomainRequest, DomainShare, DomainRelease,
	}
	seen := map[sign.Domain]bool{}
	for _, d := range all {
		if seen[d] {
			t.Errorf("%s is twice there", d)
		}
		seen[d] = true
	}
	var digest [32]byte
	if SeedCommitment(digest, "AU", digest[:]) == SeedCommitment(digest, "ID", digest[:]) {
		t.Error("a commitment to a seed can be taken over")
	}
	a, b := PartCommitment(digest, "AU", nil), PartCommitment(digest, "ID", nil)
	c, d := MasksDigest(digest, "AU").Sum(), MasksDigest(digest, "ID").Sum()
	e, f := BodiesDigest(digest, "AU").Sum(), BodiesDigest(digest, "ID").Sum()
	if a == b || c == d || e == f || c == e {
		t.Error("a digest can be taken over by another member, or for another part")
	}
}
