package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// Under every verb and in both log formats, what this package hands out shows no cell.
func TestNothingOfARowIsPrinted(t *testing.T) {
	const secret = "0491570006"
	v, _, err := indicator.Parse(indicator.Phone, secret, indicator.Defaults{Country: "AU"})
	if err != nil {
		t.Fatal(err)
	}
	row := Row{Outcome: Changed, Line: 7, Column: 2, Reason: "country_added", Before: secret, After: v.Canonical()}
	values := []any{
		Record{Value: v, Original: secret, Line: 7}, &Record{Value: v, Original: secret, Line: 7}, []Record{{Value: v, Original: secret, Line: 7}},
		row, &row, Rows{row}, Report{Rows: 1, Examples: Rows{row}}, &Report{Rows: 1, Examples: Rows{row}},
		&FileError{File: "x.csv", Fault: FaultMissingColumn, Text: "no column", Found: []string{secret}},
	}
	for _, value := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("import", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("import", "value", value)
		for _, s := range []string{secret, "491570006", fmt.Sprintf("%x", secret)} {
			if strings.Contains(out.String(), s) {
				t.Errorf("%T prints %s:\n%s", value, s, out.String())
			}
		}
	}
}

// A record has no JSON form but its line; a report's is for own eyes and complete.
func TestJSON(t *testing.T) {
	b, err := json.Marshal([]Record{{Original: "0491570006", Line: 7}})
	if err != nil || string(b) != `[{"line":7}]` {
		t.Errorf("record: %s, %v", b, err)
	}
	r, err := importText(t, "phone\n0491 570 006\nabc\n", phoneOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err = json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if row := find(t, back, Changed, 2); row.Before != "0491 570 006" || row.After != "+61491570006" {
		t.Errorf("%s", b)
	}
	for _, key := range []string{`"ignored":[]`, `"warnings":[]`, `"rows":2`, `"reasons":{"not_a_number":1}`} {
		if !bytes.Contains(b, []byte(key)) {
			t.Errorf("no %s in %s", key, b)
		}
	}
}

// No error of a whole import holds a cell, whatever is wrong with the file.
func TestErrorsTellNoCell(t *testing.T) {
	const cell = "0491570006"
	for name, in := range map[string]string{
		"no header":        cell + ",x\n" + cell + ",y\n",
		"latin":            "phone\n" + cell + "\xe9\n",
		"NUL":              "phone\n" + cell + "\x00\n",
		"broken header":    "\"" + cell + "\"x,phone\n",
		"header of data":   cell + "\n" + cell + "\n",
		"all rejected":     "phone\nx" + cell + "\n",
		"ambiguous header": "phone,phone," + cell + "\n",
	} {
		_, err := importText(t, in, phoneOptions(), nil)
		if err == nil || strings.Contains(err.Error(), cell) || strings.Contains(fmt.Sprintf("%+v", errors.Join(err)), cell) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPrintable(t *testing.T) {
	for _, c := range []struct {
		in    string
		limit int
		want  string
	}{
		{"plain", 10, "plain"}, {"plain", 3, "pla…"}, {"เบอร์", 10, "เบอร์"}, {"\x1b[2J", 10, `\x1b[2J`}, {"a\nb\tc", 10, `a\nb\tc`},
		{"a\u202eb", 10, `a\u202eb`}, {"\u00a0", 10, `\u00a0`}, {"", 10, ""}, {"é", 0, "…"},
	} {
		if got := printable(c.in, c.limit); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}
