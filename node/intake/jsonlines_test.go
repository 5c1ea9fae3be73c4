package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// readRows reads all rows of a file.
func readRows(in []byte, o Options) ([]rawRow, error) {
	rows, _, _, err := openRows(newReader(bytes.NewReader(in)), o)
	if err != nil {
		return nil, err
	}
	var out []rawRow
	for {
		var w rawRow
		blank, err := rows.next(&w)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err
		case !blank:
			out = append(out, w)
		}
	}
}

func TestImportObjects(t *testing.T) {
	lines := []string{
		`{"name": "Omar Khalid", "born": 1990, "variants": ["Umar", "Omar K."], "case_reference": "C-1", "minor": true, "never_with": ["TH", "ID"]}`,
		"",
		`{"name": "Wang Wei", "born": "1985-03-07", "Case-Reference": null, "victim_status": "yes", "hair": "black"}`,
		`{"name": "Wang Wei", "name": "Li Wei", "born": "1985"}`,
		`{"name": "Wang Wei", "person": "Li Wei", "born": "1985"}`,
		`{"name": ["Wang", "Li"], "born": "1985"}`,
		`{"name": {"first": "Wang"}, "born": "1985"}`,
		`{"name": "Wang Wei", "born": "1985"`,
		`{"name": "Wang Wei", "born": "1985"} {}`,
		`["Wang Wei", "1985"]`,
		`{"name": "Wang \ud800Wei", "born": "1985"}`,
		`{"name": "Wang\u0000 Wei", "born": "1985"}`,
		`{"name": "Wang Wei", "born": "1985", "variants": ["Li", 7]}`,
		`{"name": "Wang Wei", "born": "1985", "minor": "perhaps"}`,
		`{"name": "Wang Wei"}`,
		`{"born": "1985"}`,
		`{"name": "Wang Wei", "born": "1985", "model": "net"}`,
	}
	var sink memorySink
	r, err := importText(t, strings.Join(lines, "\r\n"), optionsOf(indicator.Person), &sink)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, r)
	for line, want := range map[int]struct{ reason, header string }{
		4: {reasonKeyTwice, "name"}, 5: {reasonKeyTwice, "person"}, 6: {reasonObjectForm, "name"}, 7: {reasonObjectForm, "name"},
		8: {reasonObject, ""}, 9: {reasonObject, ""}, 10: {reasonObject, ""}, 11: {reasonObjectForm, "name"}, 12: {reasonObjectForm, "name"},
		13: {reasonObjectForm, "variants"}, 14: {reasonBadFlag, "minor"}, 15: {"birth_missing", "born"}, 16: {"name_missing", "name"},
	} {
		if row := find(t, r, Rejected, line); row.Reason != want.reason || row.Header != want.header || row.Column != 0 {
			t.Errorf("line %d: %s in %q, want %s in %q", line, row.Reason, row.Header, want.reason, want.header)
		}
	}
	if r.Rows != 16 || r.Blank != 1 || r.Ready != 3 || r.Shielded != 1 {
		t.Errorf("%v, %d blank", r, r.Blank)
	}
	first := sink.have["\x011990|omar khalid|omar k|umar"]
	if h := first.Handling; !h.Minor || h.CaseReference != "C-1" || !slices.Equal(h.NeverWith, []string{"TH", "ID"}) || first.Original != "Omar Khalid; Umar; Omar K.; 1990" {
		t.Errorf("%+v, %q", h, first.Original)
	}
	if !slices.Equal(r.Ignored, []string{"victim_status", "hair", "model"}) {
		t.Errorf("not read: %q", r.Ignored)
	}
	if all := strings.Join(r.Warnings, " "); !strings.Contains(all, `key "victim_status" was not read`) || strings.Contains(all, `key "hair"`) {
		t.Errorf("warnings %q", r.Warnings)
	}
	if want := map[string]string{"value": "name", "born": "born", "variants": "variants", "case_reference": "case_reference", "minor": "minor", "never_with": "never_with"}; !maps.Equal(r.Columns, want) {
		t.Errorf("keys %q", r.Columns)
	}
}

func TestObjectKeysCanBeStated(t *testing.T) {
	o := optionsOf(indicator.Person)
	o.Columns = map[string]string{"value": "who", "born": "Geboren"}
	var sink memorySink
	r, err := importText(t, `{"who": "Omar Khalid", "Geboren": "1990", "name": "x"}`, o, &sink)
	if err != nil || r.Columns["value"] != "who" || r.Columns["born"] != "Geboren" || !slices.Equal(r.Ignored, []string{"name"}) || r.Ready != 1 {
		t.Errorf("%v: %v, keys %q, not read %q", err, r, r.Columns, r.Ignored)
	}
	for _, columns := range []map[string]string{{"colour": "x"}, {"value": "x", "born": "x"}} {
		o.Columns = columns
		_, err := importText(t, `{"who": "Omar Khalid"}`, o, nil)
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultOptions {
			t.Errorf("%v: %v", columns, err)
		}
	}
}

func TestObjectsRefused(t *testing.T) {
	for text, c := range map[string]struct {
		fault Fault
		say   string
	}{
		"\ufeff [ {\"name\": \"x\"}]": {FaultHeader, "one JSON list"},
		"{\"name\": \"\xe9\"}":        {FaultEncoding, "not in UTF-8"},
		"{\"name\": \"x\x00\"}":       {FaultBinary, "NUL"},
		"{}\n{}\n":                    {FaultAllRejected, "every one of the 2 rows"},
	} {
		_, err := importText(t, text, optionsOf(indicator.Person), nil)
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != c.fault || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%q: %v, want %s with %q", text, err, c.fault, c.say)
		}
	}
	long := `{"name": "` + strings.Repeat("x", maxRow) + `"}` + "\n" + `{"name": "Omar", "born": 1990}`
	r, err := importText(t, long, optionsOf(indicator.Person), nil)
	if err != nil || r.Ready != 1 || find(t, r, Rejected, 1).Reason != reasonRowTooLong {
		t.Errorf("a long line: %v, %v", r, err)
	}
}

// FuzzObjects: every line with content is one row, read or with its reason, and reading costs
// memory by the number of bytes alone.
func FuzzObjects(f *testing.F) {
	f.Add([]byte(`{"name": "Omar", "born": 1990, "x": [1, {"y": null}]}` + "\n\n{}"))
	f.Add([]byte(`{"vector": [1, 2.5e3, -0], "model": "m", "codes": ["TLP:RED"]}`))
	f.Add([]byte("{" + strings.Repeat(`"a":{`, 200)))
	f.Add([]byte(`{"\ud800": "\u0000", "name": "a", "name": "b"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append([]byte("{"), in...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		read, err := readRows(in, optionsOf(indicator.Person))
		runtime.ReadMemStats(&after)
		if cost, limit := after.TotalAlloc-before.TotalAlloc, uint64(64*len(in)+1<<20); cost > limit {
			t.Fatalf("%d bytes cost %d", len(in), cost)
		}
		if err != nil {
			if _, ok := errors.AsType[*FileError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		lines := 0
		for line := range strings.SplitSeq(string(in), "\n") {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if len(read) != lines {
			t.Fatalf("%d rows of %d lines", len(read), lines)
		}
		for _, r := range read {
			if r.problem != nil && (r.problem.Reason == "" || r.problem.Text == "" || strings.Contains(fmt.Sprint(r.problem), "\n")) {
				t.Fatalf("problem %v", r.problem)
			}
		}
	})
}
