package intake

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"entente/protocol/indicator"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err) // a test's own constant
	}
	return t
}

// imported returns the handling data of the only row of a list.
func imported(t *testing.T, text string, o Options) (indicator.Handling, Report) {
	t.Helper()
	sink := &memorySink{}
	r, err := importText(t, text, o, sink)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range sink.have {
		return rec.Handling, r
	}
	t.Fatal("no record")
	return indicator.Handling{}, r
}

func TestHandlingOfARow(t *testing.T) {
	o := phoneOptions()
	o.Handling.Codes = []string{"H1"}
	o.Handling.NeverWith = []string{"NZ"}
	header := "phone,category,offence,purpose,basis,minor,protected,never_with,first_observed,last_observed,source_evaluation,information_evaluation,codes,case_reference,expires\n"
	got, _ := imported(t, header+"0491570006,Convicted,18 USC 1591,smuggling,AU-2,yes,x,\"th; id,TH\",2026-01-31,1 Feb 2026,b,2,tlp:amber PAP:GREEN,case 7,31.12.2027\n", o)
	want := indicator.Handling{
		Category: indicator.Convicted, Offence: "18 USC 1591", Purpose: "smuggling", Basis: "AU-2", Minor: true, Protected: true,
		NeverWith: []string{"NZ", "TH", "ID"}, FirstObserved: day("2026-01-31"), LastObserved: day("2026-02-01"),
		SourceEvaluation: "B", InformationEvaluation: "2", Codes: []string{"H1", "TLP:AMBER", "PAP:GREEN"}, CaseReference: "case 7", Expires: day("2027-12-31"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	blank, _ := imported(t, header+"0491570006,,,,,,,,,,,,,,\n", o)
	if !reflect.DeepEqual(blank, o.Handling) {
		t.Errorf("a row without handling data: %+v", blank)
	}
}

// What protects the whole file cannot be lifted by a row.
func TestProtectionOnlyGrows(t *testing.T) {
	o := phoneOptions()
	o.Handling.Minor, o.Handling.Protected = true, true
	got, r := imported(t, "phone,minor,protected,never with\n0491570006,no,no,\n", o)
	if !got.Minor || !got.Protected || r.Shielded != 1 {
		t.Errorf("got %+v", got)
	}
}

// Rows share what the options hold; a row's own additions must not reach others.
func TestRowsDoNotShareAdditions(t *testing.T) {
	o := phoneOptions()
	o.Handling.NeverWith = append(make([]string, 0, 8), "NZ") // room to grow in place
	sink := &memorySink{}
	if _, err := importText(t, "phone,never with\n0491570006,TH\n0491570156,ID\n0491570157,\n", o, sink); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, rec := range sink.have {
		got = append(got, strings.Join(rec.Handling.NeverWith, " "))
	}
	for _, want := range []string{"NZ TH", "NZ ID", "NZ"} {
		if !strings.Contains("|"+strings.Join(got, "|")+"|", "|"+want+"|") {
			t.Errorf("no row with %q in %q", want, got)
		}
	}
}

func TestHandlingRefused(t *testing.T) {
	for name, c := range map[string]struct {
		header, cell, reason string
		column               int
	}{
		"category":             {"category", "migrant", reasonCategory, 2},
		"minor":                {"minor", "maybe", reasonBadFlag, 2},
		"protected":            {"protected", "2", reasonBadFlag, 2},
		"date":                 {"expires", "soon", reasonBadDate, 2},
		"source":               {"source evaluation", "D", reasonBadHandling, 2},
		"information":          {"information evaluation", "5", reasonBadHandling, 2},
		"code":                 {"codes", "H7", reasonBadHandling, 2},
		"two labels":           {"codes", "TLP:RED TLP:GREEN", reasonBadHandling, 2},
		"offence over a limit": {"offence", strings.Repeat("x", 300), reasonBadHandling, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := importText(t, "phone,"+c.header+"\n0491570156,\n0491570006,"+c.cell+"\n", phoneOptions(), nil)
			if err != nil || r.Rejected != 1 || r.Ready != 1 {
				t.Fatalf("%v, %v", r, err)
			}
			row := find(t, r, Rejected, 3)
			if row.Reason != c.reason || row.Column != c.column || strings.Contains(row.Text, c.cell) {
				t.Errorf("%s in column %d: %s", row.Reason, row.Column, row.Text)
			}
		})
	}
}

func TestNeverWithAStranger(t *testing.T) {
	o := phoneOptions()
	o.Members = []string{"AU", "TH"}
	r, err := importText(t, "phone,never with\n0491570006,th Thailand\n", o, nil)
	if err != nil || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "THAILAND") {
		t.Errorf("%v, %v", r.Warnings, err)
	}
	o.Members = nil
	if r, err := importText(t, "phone,never with\n0491570006,Thailand\n", o, nil); err != nil || len(r.Warnings) != 0 {
		t.Errorf("members unknown: %v, %v", r.Warnings, err)
	}
}

func TestParseDate(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31": "2026-01-31", "2026/01/31": "2026-01-31", "2026.01.31": "2026-01-31", "20260131": "2026-01-31",
		"31.1.2026": "2026-01-31", "31 Jan 2026": "2026-01-31", "31 January 2026": "2026-01-31", "31-Jan-2026": "2026-01-31",
		"January 31, 2026": "2026-01-31", "2026-01-31 23:59": "2026-01-31", "2026-01-31T23:30:00-05:00": "2026-02-01",
		// years of the Buddhist era, with leap days of both calendars
		"2569-01-31": "2026-01-31", "29.2.2567": "2024-02-29", "25670229": "2024-02-29", "31 Jan 2569": "2026-01-31",
		"2568-02-29": "", "2572-02-29": "",
		"1900-01-01": "1900-01-01", "2199-12-31": "2199-12-31", "1899-12-31": "", "2200-01-01": "", "2443-01-01": "1900-01-01", "2743-01-01": "",
		// day and month can be confused, or no date at all
		"01/02/2026": "", "31/01/2026": "", "1-2-26": "", "46053": "", "2026-02-30": "", "yesterday": "", "2026": "", "": "",
	} {
		got, note, fault := parseDate(text)
		if want == "" {
			if fault == "" {
				t.Errorf("%q read as %v", text, got)
			}
			continue
		}
		if fault != "" || got.Format(time.DateOnly) != want {
			t.Errorf("%q: %v %s, want %s", text, got, fault, want)
		}
		if altered := note.Code != ""; altered != (strings.Contains(text, "256") || strings.Contains(text, "2443")) {
			t.Errorf("%q: note %v", text, note)
		}
	}
}

func TestParseFlag(t *testing.T) {
	for cell, want := range map[string][2]bool{
		"yes": {true, true}, " X ": {true, true}, "Ya": {true, true}, "ใช่": {true, true}, "1": {true, true},
		"": {false, true}, "No": {false, true}, "0": {false, true}, "ไม่ใช่": {false, true}, "-": {false, true},
		"2": {false, false}, "unknown": {false, false}, "?": {false, false},
	} {
		if yes, ok := parseFlag(cell); yes != want[0] || ok != want[1] {
			t.Errorf("%q: %v %v", cell, yes, ok)
		}
	}
}

// The file's own handling data must be valid before a row is read.
func TestHandlingOfTheFile(t *testing.T) {
	o := phoneOptions()
	o.Handling.Codes = []string{"H9"}
	_, err := importText(t, "phone\n0491570006\n", o, nil)
	if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultOptions {
		t.Errorf("got %v", err)
	}
}
