package intake

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// cells reads a text with this package's reader and fails on any fault.
func cells(t testing.TB, in []byte, comma byte) [][]string {
	t.Helper()
	r := newReader(bytes.NewReader(in))
	r.comma = comma
	var out [][]string
	err := r.open()
	for w := new(row); err == nil; {
		if err = r.next(w); err != nil {
			break
		}
		if w.fault != nil {
			t.Fatalf("fault %+v in %q", *w.fault, in)
		}
		var texts []string
		for _, c := range w.cells {
			texts = append(texts, string(c.text))
		}
		out = append(out, texts)
	}
	if e, empty := errors.AsType[*FileError](err); !errors.Is(err, io.EOF) && !(empty && e.Fault == FaultEmpty) {
		t.Fatalf("%v in %q", err, in)
	}
	return out
}

// alphabet has what a writer must quote, and characters of one to four bytes.
const alphabet = "ab0 ,;\t\"\n'=+ชé世😀"

func randomTable(rng *rand.Rand) [][]string {
	letters := []rune(alphabet)
	table := make([][]string, 1+rng.IntN(6))
	columns := 2 + rng.IntN(4)
	for i := range table {
		table[i] = make([]string, columns)
		for j := range table[i] {
			var b strings.Builder
			for range rng.IntN(6) {
				b.WriteRune(letters[rng.IntN(len(letters))])
			}
			table[i][j] = b.String()
		}
	}
	return table
}

// What a writer of RFC 4180 writes is read back cell by cell, with each separator and
// line end.
func TestReadsWhatIsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		table := randomTable(rng)
		comma := separators[rng.IntN(len(separators))]
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Comma = rune(comma)
		if err := w.WriteAll(table); err != nil {
			t.Fatal(err)
		}
		in := b.Bytes()
		if got := cells(t, in, comma); !reflect.DeepEqual(got, table) {
			t.Fatalf("%q\nread as %q\nwritten %q", in, got, table)
		}
		if !bytes.ContainsRune(in, '"') { // outside quotes line ends mean the same
			for _, end := range []string{"\r\n", "\r"} {
				if got := cells(t, bytes.ReplaceAll(in, []byte("\n"), []byte(end)), comma); !reflect.DeepEqual(got, table) {
					t.Fatalf("%q with %q read as %q", in, end, got)
				}
			}
		}
	}
}

// On texts that the standard library reads strictly, both read the same.
func FuzzAgainstStandardLibrary(f *testing.F) {
	f.Add([]byte("a,b\n\"c\",\"d\"\"e\"\n"))
	f.Add([]byte("a,\"b\nc\",\n,,\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if firstNotText(in) >= 0 || bytes.ContainsAny(in, "\r\ufeff") || refuseSignature(in) != nil || len(in) > maxField {
			return
		}
		r := csv.NewReader(bytes.NewReader(in))
		r.FieldsPerRecord = -1
		want, err := r.ReadAll()
		if err != nil {
			return
		}
		// It leaves out empty lines and keeps spaces that we take off around quotes.
		got := slices.DeleteFunc(cellsOrFault(t, in), func(row []string) bool { return len(row) == 1 && row[0] == "" })
		want = slices.DeleteFunc(want, func(row []string) bool { return len(row) == 1 && row[0] == "" })
		if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %q, standard library %q", in, got, want)
		}
	})
}

func cellsOrFault(t *testing.T, in []byte) [][]string { return cells(t, in, ',') }

// messyRows gives rows of which some are wrong in each way.
func messyRows(rng *rand.Rand, n int) []string {
	rows := make([]string, n)
	for i := range rows {
		line := rng.IntN(200)
		switch rng.IntN(12) {
		case 0:
			rows[i] = "6.14E+10"
		case 1:
			rows[i] = "nothing"
		case 2:
			rows[i] = ""
		case 3:
			rows[i] = fmt.Sprintf("+61 2 5550 %04d", line)
		case 4:
			rows[i] = fmt.Sprintf("25550%04d", line)
		default:
			rows[i] = fmt.Sprintf("(02) 5550 %04d", line)
		}
	}
	return rows
}

func list(rows []string, comma string, quote bool, end string) string {
	var b strings.Builder
	b.WriteString("ref" + comma + "phone" + end)
	for _, r := range rows {
		if quote {
			r = `"` + r + `"`
		}
		b.WriteString("7" + comma + r + end)
	}
	return b.String()
}

// The form of the file does not change what is in it: separators, quotes, line ends
// and the mark lead to one and the same report.
func TestFormDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2 {
		rows := messyRows(rng, 30)
		var first *Report
		for _, comma := range []string{",", ";", "\t"} {
			for _, quote := range []bool{false, true} {
				for _, end := range []string{"\n", "\r\n", "\r"} {
					for _, mark := range []string{"", byteOrderMark} {
						r, err := importText(t, mark+list(rows, comma, quote, end), phoneOptions(), &memorySink{})
						if err != nil {
							t.Fatal(err)
						}
						checkSums(t, r)
						if first == nil {
							first = &r
						} else if !reflect.DeepEqual(*first, r) {
							t.Fatalf("%q %v %q: %v, not %v", comma, quote, end, r, *first)
						}
					}
				}
			}
		}
	}
}

// The order of rows changes which of two equal ones is the duplicate, but no count.
func TestOrderDoesNotMatter(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	rows := messyRows(rng, 500)
	one, err := importText(t, list(rows, ",", false, "\n"), phoneOptions(), &memorySink{})
	if err != nil {
		t.Fatal(err)
	}
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	two, err := importText(t, list(rows, ",", false, "\n"), phoneOptions(), &memorySink{})
	if err != nil {
		t.Fatal(err)
	}
	if one.Ready != two.Ready || one.Duplicates != two.Duplicates || !reflect.DeepEqual(one.Reasons, two.Reasons) || !reflect.DeepEqual(one.Changes, two.Changes) {
		t.Errorf("%v, shuffled %v", one, two)
	}
}

// A list imported in two halves gives the records of the whole.
func TestHalvesMakeTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	rows := messyRows(rng, 400)
	whole, parts := &memorySink{}, &memorySink{}
	if _, err := importText(t, list(rows, ",", false, "\n"), phoneOptions(), whole); err != nil {
		t.Fatal(err)
	}
	for _, half := range [][]string{rows[:200], rows[200:]} {
		if _, err := importText(t, list(half, ",", false, "\n"), phoneOptions(), parts); err != nil {
			t.Fatal(err)
		}
	}
	if len(whole.have) != len(parts.have) {
		t.Errorf("%d records, in halves %d", len(whole.have), len(parts.have))
	}
	for key := range whole.have {
		if _, ok := parts.have[key]; !ok {
			t.Error("a record is missing in halves")
		}
	}
}

// Each row's record is what the parser makes of its cell, with the row's own defaults.
func TestDefaultsOfARow(t *testing.T) {
	for name, c := range map[string]struct {
		kind     indicator.Kind
		header   string
		row      string
		raw      string
		defaults indicator.Defaults
	}{
		"country":                  {indicator.Phone, "phone,country", "02 5550 1234,AU", "02 5550 1234", indicator.Defaults{Country: "AU"}},
		"country before default":   {indicator.Phone, "phone,country", "(212) 555-0123,US", "(212) 555-0123", indicator.Defaults{Country: "US"}},
		"blank country":            {indicator.Phone, "phone,country", "02 5550 1234, ", "02 5550 1234", indicator.Defaults{Country: "AU"}},
		"issuer":                   {indicator.Document, "passport,issuer", "X1234567,AUS", "X1234567", indicator.Defaults{Issuer: "AUS"}},
		"platform":                 {indicator.Handle, "handle,platform", "some_name,telegram", "some_name", indicator.Defaults{Platform: "telegram"}},
		"spaces in the cell":       {indicator.Phone, "phone", "  02 5550 1234  ", "  02 5550 1234  ", indicator.Defaults{Country: "AU"}},
		"line end in the cell":     {indicator.Phone, "phone", "\"02 5550 1234\n\"", "02 5550 1234\n", indicator.Defaults{Country: "AU"}},
		"doubled quotes elsewhere": {indicator.Phone, "notes,phone", "\"a \"\"b\"\"\",02 5550 1234", "02 5550 1234", indicator.Defaults{Country: "AU"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := phoneOptions()
			o.Kind = c.kind
			sink := &memorySink{}
			if _, err := importText(t, c.header+"\n"+c.row+"\n", o, sink); err != nil {
				t.Fatal(err)
			}
			want, _, err := indicator.Parse(c.kind, c.raw, c.defaults)
			if err != nil {
				t.Fatal(err)
			}
			rec, ok := sink.have[string(want.Element())]
			if !ok || rec.Original != c.raw || rec.Line != 2 {
				t.Errorf("record %v of %d, original %q", rec, len(sink.have), rec.Original)
			}
		})
	}
}

// A cell that begins on a later line than its row is reported with its own line; the
// record carries the row's, which is unique.
func TestLinesOfCells(t *testing.T) {
	sink := &memorySink{}
	in := "notes,phone,expires\n\"a\nb\",0491570006,\"2027-01-01\"\n\"c\n\n\",nothing,\n\"d\n\",0491570156,\"e\nf\"\n"
	r, err := importText(t, in, phoneOptions(), sink)
	if err != nil || !slices.Equal(sink.order, []int{2}) {
		t.Fatalf("%v, %v", sink.order, err)
	}
	for line, column := range map[int]int{6: 2, 8: 3} {
		if row := find(t, r, Rejected, line); row.Column != column {
			t.Errorf("line %d: column %d, want %d", line, row.Column, column)
		}
	}
}
