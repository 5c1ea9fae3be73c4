package intake

import (
	"errors"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

func text(t *testing.T, r Report) string {
	t.Helper()
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextOfACheck(t *testing.T) {
	o := phoneOptions()
	o.DryRun = true
	r, err := importText(t, "phone,x\n0491570006,\n0491570006,\nabc,\n\n", o, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := text(t, r)
	for _, s := range []string{
		"Check of list.csv (phone): 3 rows", "would be new in the list; nothing was stored", "1 line without content passed over",
		`Column "phone" read as value`, "Columns not read: x", "line 3, column 1 (phone): 0491570006 → +61491570006 (the same value as line 2)",
		"What to do: correct the cell in the source",
	} {
		if !strings.Contains(got, s) {
			t.Errorf("no %q in:\n%s", s, got)
		}
	}
	for _, s := range []string{"Held for", "WARNING", "shielded"} {
		if strings.Contains(got, s) {
			t.Errorf("%q in:\n%s", s, got)
		}
	}
}

// The most frequent reason comes first, each with no more examples than a page holds.
func TestTextOrder(t *testing.T) {
	r, _ := importText(t, "phone\nabc\n6.14E+10\n6.15E+10\n6.16E+10\n0491570006\n", phoneOptions(), nil)
	got := text(t, r)
	if strings.Index(got, "- 3 rows: a spreadsheet") > strings.Index(got, "- 1 row: not a number") || strings.Contains(got, "6.16E+10") {
		t.Errorf("got:\n%s", got)
	}
}

// Every reason that a row can have comes with advice of its own or the general one, and
// the advice is for reasons that exist.
func TestAdvice(t *testing.T) {
	known := map[string]bool{}
	for _, r := range indicator.Reasons() {
		known[string(r)] = true
		if advise(Rejected, string(r)) == "" {
			t.Errorf("no advice for %s", r)
		}
	}
	for _, r := range []string{reasonRagged, reasonQuoteOpen, reasonStrayQuote, reasonFieldTooLong, reasonRowTooLong, reasonCategory, reasonBadFlag, reasonBadDate, reasonBadHandling,
		reasonObject, reasonKeyTwice, reasonObjectForm} {
		known[r] = true
		if _, own := advice()[r]; !own {
			t.Errorf("no advice of its own for %s", r)
		}
	}
	for r := range advice() {
		if !known[r] {
			t.Errorf("advice for %s, which is no reason", r)
		}
	}
	if advise(Held, "protection_list") == "" || advise(Changed, "country_added") != "" {
		t.Error("advice for the wrong outcomes")
	}
}

func TestTextToABrokenWriter(t *testing.T) {
	if err := (Report{}).WriteText(fullDisk{}); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
