package intake

import (
	"errors"
	"strings"
	"testing"

	"entente/protocol/indicator"
	"entente/protocol/person"
)

func optionsOf(k indicator.Kind) Options {
	o := phoneOptions()
	o.Kind = k
	return o
}

func TestImportPersons(t *testing.T) {
	const text = "Full name;DOB;Alias;Case\n" +
		"Omar Khalid;17.05.1990;Umar Halid;C-1\n" + // 2
		"สมชาย ใจดี;๑๗/๐๕/๒๕๓๓;;C-2\n" + // 3: of the Buddhist era
		"Anna Popova;04/05/1990;;\n" + // 4: day and month
		"Unknown;1990;;\n" + // 5
		"Omar Khalid;;;\n" + // 6: no date
		"Omar Khalid;1990;Ali 2;\n" + // 7: a bad variant
		"Omar Khalid;1900-01-01;;\n" + // 8: a date that stands for none
		"OMAR KHALID;1990-05-17;umar halid | unknown;C-3\n" + // 9: as line 2
		"\"Omar;Ali\";\"=\"\"1990\"\"\";;\n" // 10
	var sink memorySink
	o := optionsOf(indicator.Person)
	r, err := importText(t, text, o, &sink)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, r)
	if r.Rows != 9 || r.Ready != 2 || r.Duplicates != 1 || r.Rejected != 6 {
		t.Errorf("%v, reasons %v", r, r.Reasons)
	}
	for line, want := range map[int]struct {
		header string
		reason indicator.Reason
	}{
		3: {"DOB", "birth_calendar"}, 4: {"DOB", "birth_ambiguous"}, 5: {"Full name", "stop_value"}, 6: {"DOB", "birth_missing"},
		7: {"Alias", "characters"}, 8: {"DOB", "stop_value"},
	} {
		if row := find(t, r, Rejected, line); row.Header != want.header || row.Reason != string(want.reason) {
			t.Errorf("line %d: %s in %s, want %s in %s", line, row.Reason, row.Header, want.reason, want.header)
		}
	}
	row := find(t, r, Changed, 2)
	if row.Before != "Omar Khalid; Umar Halid; 17.05.1990" || row.After != "1990-05-17|omar khalid|umar halid" || row.Header != "Full name" {
		t.Errorf("changed %q to %q (%s)", row.Before, row.After, row.Header)
	}
	if have, ok := sink.have["\x011990-05-17|omar khalid|umar halid"]; !ok || have.Original != "Omar Khalid; Umar Halid; 17.05.1990" || have.Handling.CaseReference != "C-1" {
		t.Error("the first row is not kept as it was written")
	}
	if _, ok := sink.have["\x011990|omar|ali"]; !ok {
		t.Error("a name with a variant in its cell is missing")
	}
	if !strings.Contains(strings.Join(r.Warnings, " "), "a person that stands there in another form is not held back") {
		t.Errorf("warnings %q", r.Warnings)
	}

	o.Defaults = indicator.Defaults{Calendar: person.Buddhist, Order: person.DayFirst}
	sink = memorySink{}
	if _, err = importText(t, "name,born\nสมชาย ใจดี,17/05/2533\nสมชาย ใจดี,04/05/2533\n", o, &sink); err != nil {
		t.Fatal(err)
	}
	for _, element := range []string{"\x011990-05-17|สมชาย ใจดี", "\x011990-05-04|สมชาย ใจดี"} {
		if _, ok := sink.have[element]; !ok {
			t.Errorf("a date of the given calendar and order was read otherwise: %d records", len(sink.have))
		}
	}
}

// TestPersonsInOneCell: what an export writes can be imported again.
func TestPersonsInOneCell(t *testing.T) {
	for _, text := range []string{"person\n1990-05-17|Omar Khalid|Umar\n", "name,born\n1990-05-17|Omar Khalid|Umar,\n", `{"person":"1990-05-17|Omar Khalid|Umar"}`} {
		var sink memorySink
		if _, err := importText(t, text, optionsOf(indicator.Person), &sink); err != nil {
			t.Fatal(err)
		}
		if _, ok := sink.have["\x011990-05-17|omar khalid|umar"]; !ok {
			t.Errorf("%.20q: not read", text)
		}
	}
	r, err := importText(t, "name\nOmar Khalid\n1990|Omar\n", optionsOf(indicator.Person), nil)
	if err != nil {
		t.Fatal(err)
	}
	if row := find(t, r, Rejected, 2); row.Reason != string(indicator.Reason(person.ReasonBirthMissing)) || row.Header != "name" {
		t.Errorf("a name alone: %s in %q", row.Reason, row.Header)
	}
}

func TestDefaultsAreChecked(t *testing.T) {
	for _, c := range []struct {
		kind indicator.Kind
		d    indicator.Defaults
	}{
		{indicator.Person, indicator.Defaults{Calendar: "mayan"}},
		{indicator.Person, indicator.Defaults{Order: "year_first"}},
		{indicator.Face, indicator.Defaults{Model: "a model"}},
	} {
		o := optionsOf(c.kind)
		o.Defaults = c.d
		_, err := importText(t, "name,born,vector\nx,1990,1\n", o, nil)
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultOptions {
			t.Errorf("%+v: %v", c.d, err)
		}
	}
}
