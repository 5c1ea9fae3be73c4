package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"entente/node"
	"entente/node/audit"
)

// TestStory tells the whole story, keeps its nodes and looks at everything that it
// leaves: document, screens and folders.
func TestStory(t *testing.T) {
	var screen bytes.Buffer
	dir := filepath.Join(t.TempDir(), "kept")
	d, err := Run(t.Context(), Options{Dir: dir, Screen: &screen})
	if err != nil {
		t.Fatalf("%v\n%s", err, &screen)
	}
	if !d.Verified || d.Notice != Notice || d.Seconds <= 0 {
		t.Errorf("verified %v, notice %q, %.1f seconds", d.Verified, d.Notice, d.Seconds)
	}
	t.Run("document", func(t *testing.T) { checkDocument(t, d) })
	t.Run("screens", func(t *testing.T) { checkScreens(t, screen.String(), dir) })
	t.Run("kept", func(t *testing.T) { checkKept(t, d, dir) })
}

func checkDocument(t *testing.T, d Document) {
	want := theTruth()
	planted := []outcome{want.phones, want.count, want.papers, want.persons, want.refused}
	if len(d.Rounds) != len(planted) {
		t.Fatalf("%d rounds", len(d.Rounds))
	}
	for i, r := range d.Rounds {
		p := planted[i]
		if !reflect.DeepEqual(r.Hits, p.hits) || !reflect.DeepEqual(r.Counts, p.counts) || !reflect.DeepEqual(r.States, p.states) {
			t.Errorf("%s: hits %v, counts %v, states %v", r.Title, r.Hits, r.Counts, r.States)
		}
		if len(r.ID) != 32 || r.Proposer != au || r.Kind == "" || r.Learn == "" || r.Result == "" {
			t.Errorf("%s: incomplete", r.Title)
		}
	}
	if len(d.Steps) != 13 {
		t.Fatalf("%d steps", len(d.Steps))
	}
	for i, s := range d.Steps {
		if s.Number != i+1 || s.Title == "" || len(s.Checks) == 0 && i < 10 {
			t.Errorf("step %d is number %d, %q, with %d checks", i+1, s.Number, s.Title, len(s.Checks))
		}
	}
	checkJSON(t, d)
}

// checkJSON reads the document as another program does.
func checkJSON(t *testing.T, d Document) {
	b, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var generic struct {
		Verified *bool `json:"verified"`
		Rounds   []struct {
			Hits     map[string][]string `json:"hits"`
			Expected map[string][]string `json:"expected"`
		} `json:"rounds"`
		Steps []any `json:"steps"`
	}
	if err := json.Unmarshal(b, &generic); err != nil || generic.Verified == nil || !*generic.Verified || len(generic.Steps) != 13 {
		t.Errorf("verified %v, %d steps: %v", generic.Verified, len(generic.Steps), err)
	}
	hits := 0
	for i, r := range generic.Rounds {
		if len(r.Hits) != 2 || !reflect.DeepEqual(r.Hits, r.Expected) {
			t.Errorf("round %d: hits and expected differ", i)
		}
		hits += len(r.Hits[au])
	}
	if hits != 12+4+3 {
		t.Errorf("AU has %d hits in all", hits)
	}
	if bytes.Contains(b, []byte("null")) {
		t.Error("the document holds null where an empty array belongs")
	}
}

// checkScreens looks for the facts that must be on the screens, not for their wording.
func checkScreens(t *testing.T, text, dir string) {
	flat := strings.Join(strings.Fields(text), " ")
	for _, fact := range []string{
		"1 of 13", "13 of 13", "rial data only", "watch: 139 phones", "136 rows", "6.14915E+10", "491570110 → +61491570110",
		"0491 570 159 → +61491570159", "protection desk", "up to 128 entries", "up to 160 entries", "own rules allowed by the rule",
		"0491 570 006", "+61-491-570-006", "AFX-26", "POL-26", "Three more numbers stand in both files", "12, not which",
		"UTO:K7300915", "and no hits", "410 entries of all lists", "found none of them", "found in two; before that in none",
		"guessed numbers", "by the search of step 8: none of the listed entries", "all 139", "1000 of 1000", "no filter leaves a node",
		sweepCommand, "not available", operationTitle, "no receipt", "WRONG local.log, entry ", "signature does not verify",
		"entente serve --dir " + filepath.Join(dir, "au"), "all right",
	} {
		if !strings.Contains(flat, fact) {
			t.Errorf("no screen shows %q", fact)
		}
	}
	for _, wrong := range []string{"!!", "%!", "SOMETHING IS NOT", "IS THERE"} {
		if strings.Contains(text, wrong) {
			t.Errorf("a screen shows %q", wrong)
		}
	}
	before, hits, _ := strings.Cut(text, "5 of 13")
	if strings.Contains(before, "POL-") || strings.Count(hits, "AFX-") != shownHits+len(theTruth().persons.hits[au]) {
		t.Error("records stand where they must not, or too many of them")
	}
	for screen := range strings.SplitSeq(text, "── ") {
		if n := strings.Count(screen, "\n"); n > 32 {
			t.Errorf("a screen has %d lines", n)
		}
	}
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > width && !strings.Contains(line, dir) {
			t.Errorf("a line is too long: %s", line)
		}
	}
}

// checkKept opens what --dir has kept.
func checkKept(t *testing.T, d Document, dir string) {
	n, err := node.Open(t.Context(), filepath.Join(dir, "id"), node.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	hits, err := n.Rounds().Hits(t.Context(), d.Rounds[0].ID)
	if err != nil || !reflect.DeepEqual(values(hits), shared()) {
		t.Errorf("the kept node has %d hits: %v", len(hits), err)
	}
	for folder, right := range map[string]bool{"au/audit": true, "th/audit": true, alteredFolder: false} {
		report, err := audit.Check(os.DirFS(filepath.Join(dir, folder)), audit.Certificate)
		if err != nil || report.OK != right {
			t.Errorf("%s: right is %v, %v", folder, report.OK, err)
		}
	}
	for _, f := range sources() {
		if _, err := os.Stat(filepath.Join(dir, filesFolder, f.name())); err != nil {
			t.Error(err)
		}
	}
	if _, err := Run(t.Context(), Options{Dir: dir}); !errors.Is(err, ErrOccupied) {
		t.Errorf("a second story in the same directory: %v", err)
	}
}

// TestAnotherTruthFails tells the story with a truth that is wrong in every part: each
// part must be noticed, and nothing may be left behind.
func TestAnotherTruthFails(t *testing.T) {
	var screen bytes.Buffer
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("TMP", temporary)
	d, err := tell(t.Context(), Options{Screen: &screen}, wrongTruth())
	if !errors.Is(err, ErrDiffers) || d.Verified {
		t.Errorf("verified is %v: %v", d.Verified, err)
	}
	wrong := map[string]bool{}
	for _, s := range d.Steps {
		for _, c := range s.Checks {
			wrong[c.What] = wrong[c.What] || !c.OK
			if c.OK != (c.Want == c.Got) {
				t.Errorf("%s: want %s, got %s, ok %v", c.What, c.Want, c.Got, c.OK)
			}
		}
	}
	for _, what := range []string{
		"items from th-watch.csv", "rows of au-wanted.csv", "rejected rows by reason", "value held for the protection desk",
		"items that would take part", "items that stay out by reason", "size that the partner sees",
		"phones, both learn which: the outcome is the planted one", "phones, both learn how many: the outcome is the planted one",
		"passports, only Australia learns which: the outcome is the planted one", "phones, refused: the outcome is the planted one",
		"values in the files of both AU and ID", "Thailand knows the rule that refused", "ID: receipts",
		"listed values that Indonesia's key finds in the tags",
	} {
		if !wrong[what] {
			t.Errorf("not noticed: %s", what)
		}
	}
	for what, is := range wrong {
		if is && (what == "AU: the audit folder is right" || what == "listed values in it") {
			t.Errorf("wrongly noticed: %s", what)
		}
	}
	if !strings.Contains(screen.String(), "!! This differs") || !strings.Contains(screen.String(), "SOMETHING IS NOT AS IT MUST BE") {
		t.Error("the screens do not say so")
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("%d things are left behind: %v", len(left), err)
	}
}

func wrongTruth() truth {
	w := theTruth()
	w.lists["th-watch.csv"]++
	w.lists["id-watch.csv"]--
	w.wanted.changed--
	w.rejected["too_short"]++
	w.held = "+61491570158"
	w.plan = planned{items: 126, class: 160, excluded: tally{"shielded": 2}}
	w.phones.hits = map[string][]string{au: shared(), id: shared()[1:]}
	w.count.counts = map[string]string{au: "12", id: "13"}
	w.papers.hits = map[string][]string{au: {"UTO:K7300915"}, id: {}}
	w.refused.states = map[string]string{au: "refused", th: "done"}
	w.overlaps[id]++
	w.title = "Another rule"
	w.receipts[id]--
	return w
}

func TestAStoryThatCannotBeTold(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ctx context.Context
		o   Options
	}{
		"the context has ended":      {ended, Options{}},
		"the directory is a file":    {t.Context(), Options{Dir: file}},
		"the directory has contents": {t.Context(), Options{Dir: filepath.Dir(file)}},
	} {
		temporary := t.TempDir()
		t.Setenv("TMPDIR", temporary)
		t.Setenv("TMP", temporary)
		d, err := Run(c.ctx, c.o)
		if err == nil || errors.Is(err, ErrDiffers) || d.Verified {
			t.Errorf("%s: verified is %v: %v", name, d.Verified, err)
		}
		if d.Rounds == nil || d.Steps == nil {
			t.Errorf("%s: the document holds null", name)
		}
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("%s: %d things are left behind: %v", name, len(left), err)
		}
	}
}

// TestVerifiedNeedsEverything alters one thing of a document that is right.
func TestVerifiedNeedsEverything(t *testing.T) {
	right := func() *Document {
		same := func() map[string][]string { return map[string][]string{au: {"x"}, id: {}} }
		return &Document{
			Rounds: []Round{{
				Hits: same(), Expected: same(), Counts: map[string]string{}, ExpectedCounts: map[string]string{},
				States: map[string]string{au: "done"}, ExpectedStates: map[string]string{au: "done"},
			}},
			Steps: []Step{{Checks: []Check{{OK: true}, {OK: true}}}, {}},
		}
	}
	for name, c := range map[string]struct {
		alter func(*Document)
		want  bool
	}{
		"nothing":        {func(*Document) {}, true},
		"a hit more":     {func(d *Document) { d.Rounds[0].Hits[id] = []string{"y"} }, false},
		"a hit less":     {func(d *Document) { d.Rounds[0].Hits[au] = []string{} }, false},
		"a side less":    {func(d *Document) { delete(d.Rounds[0].Hits, id) }, false},
		"a count":        {func(d *Document) { d.Rounds[0].Counts[au] = "1" }, false},
		"another state":  {func(d *Document) { d.Rounds[0].States[au] = "failed" }, false},
		"a failed check": {func(d *Document) { d.Steps[0].Checks[1].OK = false }, false},
		"no rounds":      {func(d *Document) { d.Rounds = nil }, false},
		"no checks":      {func(d *Document) { d.Steps = nil }, false},
	} {
		d := right()
		c.alter(d)
		if d.finish(); d.Verified != c.want {
			t.Errorf("%s: verified is %v", name, d.Verified)
		}
	}
}
