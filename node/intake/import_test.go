package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"entente/protocol/indicator"
)

var update = flag.Bool("update", false, "write the golden reports anew")

func importFile(t testing.TB, name string, o Options, sink Sink) (Report, error) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Import(t.Context(), name, f, 0, o, sink)
}

// A file that cannot be imported is refused with its place and what to do, before the
// sink has seen a row.
func TestBadFiles(t *testing.T) {
	for _, c := range []struct {
		file      string
		fault     Fault
		line, chr int
		say       []string
	}{
		{"latin1.csv", FaultEncoding, 2, 4, []string{"not in UTF-8", "Windows-1252", `save it as "CSV UTF-8"`}},
		{"utf16le.csv", FaultEncoding, 0, 0, []string{"UTF-16", `save it as "CSV UTF-8"`}},
		{"utf16be_no_mark.csv", FaultEncoding, 0, 0, []string{"UTF-16"}},
		{"nul.csv", FaultBinary, 3, 5, []string{"NUL", "export the list anew"}},
		{"header_only.csv", FaultEmpty, 0, 0, []string{"the list is empty"}},
		{"no_header.csv", FaultMissingColumn, 1, 0, []string{"no column for the phone", "2 columns", "does not look like column names", "add a first line"}},
		{"misspelt.csv", FaultMissingColumn, 1, 0, []string{`found "ref", "phnoe", "notes"`, `--column value="phnoe"`}},
		{"titles.csv", FaultMissingColumn, 1, 0, []string{"line 3 looks like the column names", "delete the lines above"}},
		{"two_columns.csv", FaultAmbiguousColumn, 1, 0, []string{"columns 1, 2 could all be the phone", "--column value=HEADER"}},
		{"all_rejected.csv", FaultAllRejected, 0, 0, []string{"every one of the 3 rows", "see the report"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			var sink memorySink
			_, err := importFile(t, c.file, phoneOptions(), &sink)
			e, ok := errors.AsType[*FileError](err)
			if !ok {
				t.Fatalf("no FileError: %v", err)
			}
			if e.Fault != c.fault || e.Line != c.line || e.Character != c.chr || e.File != c.file {
				t.Errorf("%s at line %d character %d of %s, want %s at %d, %d", e.Fault, e.Line, e.Character, e.File, c.fault, c.line, c.chr)
			}
			for _, s := range append(c.say, c.file) {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
			if strings.Contains(err.Error(), "570") || len(sink.order) > 0 {
				t.Errorf("%q tells a value, or the sink has rows %v", err, sink.order)
			}
		})
	}
}

func TestBadText(t *testing.T) {
	for name, c := range map[string]struct {
		in    string
		fault Fault
		say   string
	}{
		"nothing":               {"", FaultEmpty, "the file is empty"},
		"only a mark":           {"\ufeff", FaultEmpty, "no lines with content"},
		"only blank lines":      {"\n;;;\n \n", FaultEmpty, "no lines with content"},
		"only a separator":      {"sep=;\n", FaultEmpty, "no lines with content"},
		"workbook":              {"PK\x03\x04rest", FaultBinary, "XLSX"},
		"old workbook":          {"\xd0\xcf\x11\xe0\xa1\xb1", FaultBinary, "XLS"},
		"page":                  {"%PDF-1.7", FaultBinary, "PDF"},
		"compressed":            {"\x1f\x8b\x08", FaultBinary, "compressed"},
		"web page":              {"\ufeff <HTML><table>", FaultBinary, "web page"},
		"UTF-16, other end":     {"\xfe\xff\x00p", FaultEncoding, "UTF-16"},
		"header cannot be read": {"phone,\"no\"te\n0491570006,\n", FaultHeader, "line 1, character 11"},
		"header over a limit":   {strings.Repeat("a,", maxColumns) + "phone\n", FaultHeader, "more than 1024 columns"},
		"latin far down":        {"phone\n" + strings.Repeat("0491570006\n", 50_000) + "\xe9\n", FaultEncoding, "line 50002, character 1"},
		"latin in a long line":  {"phone\n" + strings.Repeat("é", 3*maxField) + "\xe9\n", FaultEncoding, fmt.Sprintf("line 2, character %d", 3*maxField+1)},
		"cut in a character":    {"phone\n0491570006\né"[:len("phone\n0491570006\né")-1], FaultEncoding, "line 3, character 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := importText(t, c.in, phoneOptions(), nil)
			if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != c.fault || !strings.Contains(err.Error(), c.say) {
				t.Errorf("got %v, want %s with %q", err, c.fault, c.say)
			}
		})
	}
}

func TestBadOptions(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"kind":             func(o *Options) { o.Kind = "gait" },
		"country":          func(o *Options) { o.Defaults.Country = "XX" },
		"category":         func(o *Options) { o.Handling.Category = "" },
		"separator":        func(o *Options) { o.Comma = '|' },
		"unknown field":    func(o *Options) { o.Columns = map[string]string{"colour": "phone"} },
		"field of another": func(o *Options) { o.Columns = map[string]string{"issuer": "phone"} },
		"one column twice": func(o *Options) { o.Columns = map[string]string{"value": "phone", "codes": "phone"} },
	} {
		o := phoneOptions()
		change(&o)
		_, err := importText(t, "phone\n0491570006\n", o, nil)
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultOptions {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The messy file has every kind of damage; its report is compared with a golden text,
// which shows what a focal point reads.
func TestMessyFile(t *testing.T) {
	o := phoneOptions()
	o.Members = []string{"AU", "ID", "TH"}
	sink := &memorySink{protected: map[string]bool{"+61491570737": true}}
	var reports []Report
	for _, workers := range []int{1, 2, 7} {
		o.Workers = workers
		sink.have = nil
		r, err := importFile(t, "messy.csv", o, sink)
		if err != nil {
			t.Fatal(err)
		}
		checkSums(t, r)
		reports = append(reports, r)
	}
	if !reflect.DeepEqual(reports[0], reports[1]) || !reflect.DeepEqual(reports[0], reports[2]) {
		t.Error("the report depends on the number of workers")
	}
	var text bytes.Buffer
	if err := reports[0].WriteText(&text); err != nil {
		t.Fatal(err)
	}
	encoded, err := json.MarshalIndent(reports[0], "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "messy.report.txt", text.Bytes())
	golden(t, "messy.report.json", append(encoded, '\n'))
	if bytes.ContainsRune(text.Bytes(), '\x1b') {
		t.Error("a cell's escape character reaches the terminal")
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s", name, got)
	}
}

// What the messy file's rows become, one by one.
func TestMessyRows(t *testing.T) {
	o := phoneOptions()
	r, err := importFile(t, "messy.csv", o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		outcome      Outcome
		line, column int
		reason       string
		before       string
	}{
		{Duplicate, 6, 2, "in_file", "+61 491 570 006"},
		{Rejected, 7, 2, "spreadsheet_damage", "6.14916E+10"},
		{Changed, 8, 2, "country_added", "491570158"},
		{Rejected, 9, 2, "several_values", "(02) 5550 1234 / (02) 5550 1235"},
		{Rejected, 12, 4, reasonBadFlag, "perhaps"},
		{Rejected, 13, 6, reasonBadDate, "29/02/2569"},
		{Rejected, 15, 3, reasonCategory, "traveller"},
		{Rejected, 16, 8, reasonBadHandling, "H9"},
		{Rejected, 17, 2, reasonStrayQuote, ""},
		{Rejected, 18, 0, reasonRagged, ""},
		{Rejected, 19, 0, reasonRagged, ""},
		{Rejected, 20, 2, reasonQuoteOpen, ""},
		{Rejected, 21, 2, "stop_value", "000"},
		{Rejected, 22, 2, "empty", ""},
		{Rejected, 23, 2, "stop_value", "0000000000"},
		{Rejected, 26, 2, "not_a_number", "not known"},
	} {
		row := find(t, r, c.outcome, c.line)
		if row.Column != c.column || row.Reason != c.reason || row.Before != c.before {
			t.Errorf("line %d: column %d, %s, %q; want %+v", c.line, row.Column, row.Reason, row.Before, c)
		}
	}
	if r.Shielded != 1 || r.Blank != 1 {
		t.Errorf("%d shielded, %d blank", r.Shielded, r.Blank)
	}
}

// The same list in each form gives the same records, and the second import of a file
// gives duplicates only.
func TestFormsAndSecondImport(t *testing.T) {
	for _, name := range []string{"comma.csv", "tab.txt"} {
		sink := &memorySink{}
		first, err := importFile(t, name, phoneOptions(), sink)
		if err != nil || first.Ready != 2 {
			t.Errorf("%s: %v, %v", name, first, err)
		}
		second, err := importFile(t, name, phoneOptions(), sink)
		if err != nil || second.Ready != 0 || second.Duplicates != 2 || second.DuplicatesInFile != 0 {
			t.Errorf("%s again: %v, %v", name, second, err)
		}
		if row := second.Examples[len(second.Examples)-1]; row.Reason != "in_list" {
			t.Errorf("%s again: %v", name, row)
		}
		checkSums(t, second)
	}
	if r, err := importFile(t, "sep.csv", phoneOptions(), nil); err != nil || r.Ready != 1 {
		t.Errorf("sep.csv: %v, %v", r, err)
	}
	o := phoneOptions()
	o.Kind, o.Handling.Category = indicator.Document, indicator.DocumentItem
	if r, err := importFile(t, "passports.csv", o, nil); err != nil || r.Rows != 1 || r.Columns["issuer"] != "Country of issue" {
		t.Errorf("passports.csv: %v, %v", r, err)
	}
}

// records writes n different rows of fictitious numbers, each with a line to itself.
func records(n int) string {
	var b strings.Builder
	b.WriteString("phone,notes\n")
	for i := range n {
		fmt.Fprintf(&b, "0%d 5550 %04d,%d\n", []int{2, 3, 7, 8}[i/10_000%4], i%10_000, i)
	}
	return b.String()
}

// Batches are full but the last, in file order, whatever the number of workers.
func TestBatches(t *testing.T) {
	for _, n := range []int{1, jobRows - 1, jobRows, jobRows + 1, sinkRows - 1, sinkRows, sinkRows + 1, 2*sinkRows + 1} {
		for _, workers := range []int{1, 5} {
			o := phoneOptions()
			o.Workers = workers
			sink := &memorySink{}
			r, err := importText(t, records(n), o, sink)
			if err != nil || r.Rows != n || r.Ready != n {
				t.Fatalf("%d rows: %v, %v", n, r, err)
			}
			if !slices.IsSorted(sink.order) || len(sink.order) != n {
				t.Errorf("%d rows: the sink's order is wrong", n)
			}
			for i, size := range sink.batches {
				if want := min(sinkRows, n-i*sinkRows); size != want {
					t.Errorf("%d rows: batch %d has %d records, want %d", n, i, size, want)
				}
			}
		}
	}
}

// Examples are capped, but each reason keeps some however late it comes.
func TestExamplesAreCapped(t *testing.T) {
	in := records(3000) + strings.Repeat("6.14E+10,\n", 2500) + strings.Repeat("abc,\n", 10)
	r, err := importText(t, in, phoneOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, r)
	kept := map[string]int{}
	for _, row := range r.Examples {
		kept[string(row.Outcome)+" "+row.Reason]++
	}
	if kept["rejected spreadsheet_damage"] != maxExamples || kept["rejected not_a_number"] != leastForEach {
		t.Errorf("kept %v", kept)
	}
	if r.Reasons["spreadsheet_damage"] != 2500 || r.Reasons["not_a_number"] != 10 || r.Changed != 3000 {
		t.Errorf("counts: %v", r.Reasons)
	}
	if shown := len(r.Examples) + r.Omitted; shown != 3000+2510 {
		t.Errorf("%d rows shown or omitted", shown)
	}
}

func TestLongCellsAreCutInTheReport(t *testing.T) {
	r, _ := importText(t, "phone\n"+strings.Repeat("é", 1000)+"\n0491570006\n", phoneOptions(), nil)
	if row := find(t, r, Rejected, 2); len([]rune(row.Before)) != maxShown+1 {
		t.Errorf("%d characters kept", len([]rune(row.Before)))
	}
}

func TestProgress(t *testing.T) {
	in := records(3 * jobRows)
	var last Progress
	calls := 0
	o := phoneOptions()
	o.Progress = func(p Progress) {
		if p.Bytes < last.Bytes || p.Rows < last.Rows || p.Total != int64(len(in)) {
			t.Errorf("went from %+v to %+v", last, p)
		}
		last = p
		calls++
	}
	if _, err := importText(t, in, o, nil); err != nil {
		t.Fatal(err)
	}
	if want := (Progress{int64(len(in)), int64(len(in)), 3 * jobRows}); last != want || calls < 3 {
		t.Errorf("ended at %+v after %d calls, want %+v", last, calls, want)
	}
}

func TestSinkFails(t *testing.T) {
	full := errors.New("disk full")
	sink := &memorySink{fail: full, failAt: 1}
	_, err := importText(t, records(3*sinkRows), phoneOptions(), sink)
	if !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	if len(sink.batches) != 1 {
		t.Errorf("%d batches after the failure", len(sink.batches))
	}
	if _, err := importText(t, records(1), phoneOptions(), miscounting{}); err == nil || !strings.Contains(err.Error(), "counted") {
		t.Errorf("a sink that loses rows: %v", err)
	}
}

type miscounting struct{}

func (miscounting) Add(context.Context, []Record) (Added, error) { return Added{}, nil }

// A source that fails half-way ends the import; what the sink has is the caller's to
// roll back.
func TestSourceFailsHalfway(t *testing.T) {
	broken := errors.New("cable pulled")
	src := io.MultiReader(strings.NewReader(records(10_000)), failing{broken})
	_, err := Import(t.Context(), "x.csv", src, 0, phoneOptions(), &memorySink{})
	if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultUnreadable || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// cancelling ends the context when the sink gets its first batch.
type cancelling struct {
	cancel context.CancelFunc
	calls  int
}

func (c *cancelling) Add(_ context.Context, batch []Record) (Added, error) {
	c.calls++
	c.cancel()
	return Added{New: len(batch)}, nil
}

// Inside the bubble a goroutine that stays behind fails the test.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sink := &cancelling{cancel: cancel}
		in := records(4 * sinkRows)
		_, err := Import(ctx, "x.csv", strings.NewReader(in), 0, phoneOptions(), sink)
		if !errors.Is(err, context.Canceled) || sink.calls != 1 {
			t.Errorf("%v after %d batches", err, sink.calls)
		}
		if _, err := Import(ctx, "x.csv", strings.NewReader(in), 0, phoneOptions(), sink); !errors.Is(err, context.Canceled) {
			t.Errorf("already cancelled: %v", err)
		}
	})
}

// A pipe that gives no more data does not keep a cancelled import alive: neither
// before the header, nor in the middle of the list.
func TestCancelInterruptsAPipe(t *testing.T) {
	for name, sent := range map[string]string{"before the header": "", "in the list": records(2 * readSize / 12)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				near, far := net.Pipe()
				go func() { _, _ = io.WriteString(far, sent) }()
				result := make(chan error)
				go func() {
					_, err := Import(ctx, "pipe", near, 0, phoneOptions(), &memorySink{})
					result <- err
				}()
				synctest.Wait()
				cancel()
				if err := <-result; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				_ = near.Close()
				_ = far.Close()
			})
		})
	}
}
