package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNewWithLedgerSorts(t *testing.T) {
	r := four(t)
	if got := fmt.Sprint(r.Sequencers, r.Spread.Wanted); got != "[M1 M2 M3 M4] 2" {
		t.Error(got)
	}
	if len(r.Spread.Blocs) != 2 || !sameBloc(r.Spread.Blocs[0], Bloc{Name: "north", Members: []string{"M3", "M4"}}) {
		t.Errorf("%+v", r.Spread.Blocs)
	}
	again, err := Parse(mustJSON(t, r))
	if err != nil || again.Digest() != r.Digest() || !again.HasLedger() {
		t.Errorf("the roster does not survive writing and reading: %v", err)
	}
}

// ids are M1 to Mn.
func ids(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint("M", i+1))
	}
	return out
}

func TestLedgerValidate(t *testing.T) {
	one := func(name string, members ...string) Bloc { return Bloc{Name: name, Members: members} }
	blocs := func(wanted uint16, list ...Bloc) func(*Roster) {
		return func(r *Roster) { r.Spread = Spread{Blocs: list, Wanted: wanted} }
	}
	sequencers := func(list ...string) func(*Roster) { return func(r *Roster) { r.Sequencers = list } }
	for name, c := range map[string]struct {
		members int
		change  func(*Roster)
		want    string // empty: it is valid
	}{
		"two, one sequences":      {2, sequencers("M1"), ""},
		"two, both sequence":      {2, sequencers("M1", "M2"), ""},
		"three, one sequences":    {3, sequencers("M2"), ""},
		"four, all sequence":      {4, sequencers(ids(4)...), ""},
		"four, three sequence":    {4, sequencers(ids(3)...), "too few: there must be at least 4"},
		"nine, seven sequence":    {9, sequencers(ids(7)...), ""},
		"nine, eight sequence":    {9, sequencers(ids(8)...), "too many"},
		"nine, one sequences":     {9, sequencers("M5"), "too few"},
		"not a member":            {5, sequencers("M1", "M2", "M3", "ZZ"), "ZZ is not a member"},
		"not an id":               {5, sequencers("M1", "M2", "M3", "m4"), "member id"},
		"out of order":            {5, sequencers("M1", "M3", "M2", "M4"), "M2 is out of order"},
		"twice":                   {5, sequencers("M1", "M2", "M2", "M4"), "M2 is there twice"},
		"bloc without sequencers": {5, func(r *Roster) { r.Sequencers = nil; r.Spread.Blocs = []Bloc{one("a", "M1")} }, "no sequencers"},
		"wanted without either":   {5, func(r *Roster) { r.Sequencers = nil; r.Spread.Wanted = 1 }, "no sequencers"},
		"no sequencers, no bloc":  {5, sequencers(), ""},
		"one bloc of all":         {5, blocs(1, one("a", ids(5)...)), ""},
		"blocs, none wanted":      {5, blocs(0, one("a", "M1"), one("b", "M2")), ""},
		"some in no bloc":         {7, blocs(1, one("a", "M1", "M2", "M3")), ""},
		"wanted, no bloc":         {5, blocs(1), "1 blocs are wanted, and there are 0"},
		"more wanted":             {5, blocs(3, one("a", "M1", "M2"), one("b", "M3", "M4")), "3 blocs are wanted, and there are 2"},
		"stranger in bloc":        {5, blocs(0, one("a", "M1", "ZZ")), "bloc a: ZZ is not a member"},
		"empty bloc":              {5, blocs(0, one("a")), "bloc a: 0 members"},
		"unnamed bloc":            {5, blocs(0, one("", "M1")), "1 to 32"},
		"longest name":            {5, blocs(0, one(strings.Repeat("a", 32), "M1")), ""},
		"name too long":           {5, blocs(0, one(strings.Repeat("a", 33), "M1")), "1 to 32"},
		"capital letter":          {5, blocs(0, one("North", "M1")), "small letters"},
		"bloc twice":              {5, blocs(0, one("a", "M1"), one("a", "M2")), "bloc a is there twice"},
		"blocs out of order":      {5, blocs(0, one("b", "M1"), one("a", "M2")), "bloc a is out of order"},
		"bloc's order":            {5, blocs(0, one("a", "M2", "M1")), "M1 is out of order"},
		"of two blocs":            {5, blocs(0, one("a", "M1", "M2"), one("b", "M2")), "M2 is of bloc a and of bloc b"},
		"smallest may be away":    {5, blocs(2, one("a", "M1"), one("b", "M2", "M3")), "at most 1 can be met"},
		"smallest is not away":    {5, blocs(2, one("a", "M1", "M4"), one("b", "M2", "M3")), ""},
		"one fewer is wanted":     {5, blocs(1, one("a", "M1"), one("b", "M2", "M3")), ""},
		"two may be away":         {7, blocs(2, one("a", "M1", "M2"), one("b", "M3", "M4", "M5")), "at most 1 can be met while any 2"},
		"two are away from three": {7, blocs(2, one("a", "M1", "M2", "M6"), one("b", "M3", "M4", "M5")), ""},
	} {
		r := Roster{Version: 1, Name: "x", Sequencers: ids(min(c.members, 4))}
		for i, id := range ids(c.members) {
			r.Members = append(r.Members, member(t, id, byte(i+1)))
		}
		c.change(&r)
		err := r.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		again, err := Parse(mustJSON(t, r))
		if err != nil || again.Digest() != r.Digest() {
			t.Errorf("%s does not survive writing and reading: %v", name, err)
		}
	}
}

// What one form says must not be taken for the other: the same members without a ledger
// are another federation, and a signature under the one is none under the other.
func TestFormsStandApart(t *testing.T) {
	with := four(t)
	without := with
	without.Sequencers, without.Spread = nil, Spread{}
	if with.Digest() == without.Digest() {
		t.Error("the digest does not cover who sequences")
	}
	if with.form().domain == without.form().domain || with.form().label == without.form().label {
		t.Error("both forms are signed alike")
	}
	var signed []Signature
	for i, id := range ids(4) {
		s := signature(t, with, id, byte(i+1))
		signed = append(signed, s)
	}
	if err := with.Verify(signed); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Roster){
		"no ledger": func(r *Roster) { r.Sequencers, r.Spread = nil, Spread{} },
		"wanted":    func(r *Roster) { r.Spread.Wanted = 1 },
		"no bloc":   func(r *Roster) { r.Spread = Spread{} },
		"other blocs": func(r *Roster) {
			r.Spread.Blocs = []Bloc{{Name: "north", Members: ids(2)}, {Name: "south", Members: []string{"M3", "M4"}}}
		},
	} {
		r := with
		change(&r)
		relabelled := slices.Clone(signed)
		for i := range relabelled {
			relabelled[i].Roster = r.Digest()
		}
		var amiss *VerifyError
		if err := r.Verify(relabelled); !errors.As(err, &amiss) || len(amiss.Wrong) != 4 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLedgerFileIsStrict(t *testing.T) {
	whole := string(mustJSON(t, four(t)))
	first := strings.Replace(string(mustJSON(t, two(t))), rosterFormat, ledgerRosterFormat, 1)
	replace := func(old, new string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the roster does not hold %q", old)
		}
		return strings.Replace(whole, old, new, 1)
	}
	sequencers := whole[strings.Index(whole, `"sequencers"`):strings.Index(whole, `"blocs"`)]
	blocs := whole[strings.Index(whole, `"blocs"`):strings.Index(whole, `"blocs_wanted"`)]
	for name, c := range map[string]struct{ text, want string }{
		"as it is":            {whole, ""},
		"on one line":         {strings.ReplaceAll(whole, "\n", ""), ""},
		"other order":         {replace(sequencers+blocs, blocs+sequencers), "out of order"},
		"first form's line":   {replace(ledgerRosterFormat, rosterFormat), "belong into"},
		"third form's line":   {replace(ledgerRosterFormat, "entente roster 3"), "does not begin as"},
		"second form's line":  {first, "fields are missing"},
		"no sequencers":       {replace(sequencers, ""), "fields are missing"},
		"no blocs":            {replace(blocs, ""), "fields are missing"},
		"nothing wanted":      {replace(",\n  \"blocs_wanted\": 2", ""), "fields are missing"},
		"null sequencers":     {replace(sequencers, `"sequencers": null,`), ErrFormat.Error()},
		"null blocs":          {replace(blocs, `"blocs": null,`), ErrFormat.Error()},
		"null wanted":         {replace(`"blocs_wanted": 2`, `"blocs_wanted": null`), ErrFormat.Error()},
		"null bloc":           {replace(blocs, `"blocs": [null],`), ErrFormat.Error()},
		"empty sequencers":    {replace(sequencers, `"sequencers": [],`), "must name who sequences"},
		"too many sequencers": {replace(sequencers, `"sequencers": ["M1","M2","M3","M4","M5","M6","M7","M8"],`), "more than 7"},
		"repeated sequencers": {replace(sequencers, sequencers+sequencers), ErrFormat.Error()},
		"unknown in bloc":     {replace(`"name": "north",`, `"name": "north", "x": 1,`), ErrFormat.Error()},
		"bloc's order":        {replace("\"name\": \"north\",\n      \"members\": [\n        \"M3\",\n        \"M4\"\n      ]", `"members": ["M3", "M4"], "name": "north"`), ErrFormat.Error()},
		"negative":            {replace(`"blocs_wanted": 2`, `"blocs_wanted": -1`), ErrFormat.Error()},
		"out of range":        {replace(`"blocs_wanted": 2`, `"blocs_wanted": 65536`), ErrFormat.Error()},
		"bloc overlap":        {replace("\"M1\",\n        \"M2\"\n", `"M1", "M3"`), "M3 is of bloc north and of bloc south"},
	} {
		_, err := Parse([]byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFaulty(t *testing.T) {
	for n, want := range map[int]int{2: 1, 3: 1, 4: 1, 6: 1, 7: 2, 10: 3, 45: 14, 64: 21} {
		if got := Faulty(n); got != want {
			t.Errorf("%d of %d, want %d", got, n, want)
		}
	}
}
