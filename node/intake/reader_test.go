package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll renders every row of a text: cells between bars, or the fault with its place.
func readAll(t testing.TB, src io.Reader, comma byte) ([]string, error) {
	t.Helper()
	r := newReader(src)
	r.comma = comma
	if err := r.open(); err != nil {
		return nil, err
	}
	var rows []string
	var w row
	for {
		at := r.line
		switch err := r.next(&w); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return rows, err
		case w.line != at:
			t.Fatalf("row says line %d, reader was at %d", w.line, at)
		}
		if f := w.fault; f != nil {
			rows = append(rows, fmt.Sprintf("%d! %s line %d character %d column %d", w.line, f.reason, f.line, f.character, f.column))
			continue
		}
		var parts []string
		for _, c := range w.cells {
			text := string(c.text)
			if c.line != w.line {
				text += fmt.Sprintf("@%d", c.line)
			}
			parts = append(parts, text)
		}
		if w.wide {
			parts = append(parts, "…")
		}
		rows = append(rows, fmt.Sprintf("%d: %s", w.line, strings.Join(parts, "|")))
	}
}

func TestReaderRows(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"unix lines":             {"a,b\nc,d\n", []string{"1: a|b", "2: c|d"}},
		"windows lines":          {"a,b\r\nc,d\r\n", []string{"1: a|b", "2: c|d"}},
		"old lines":              {"a,b\rc,\"d\re\"\rf,g", []string{"1: a|b", "2: c|d\re", "4: f|g"}},
		"no last line end":       {"a,b\nc,d", []string{"1: a|b", "2: c|d"}},
		"return at the very end": {"a,b\nc,d\r", []string{"1: a|b", "2: c|d"}},
		"byte order mark":        {"\ufeffa,b\n", []string{"1: a|b"}},
		"mark before quote":      {"\ufeff\"a\",b\n", []string{"1: a|b"}},
		"empty cells":            {",,\n,\n", []string{"1: ||", "2: |"}},
		"blank lines":            {"a\n\nb\n", []string{"1: a", "2: ", "3: b"}},
		"quoted":                 {"\"a\",\"b,c\"\n", []string{"1: a|b,c"}},
		"doubled quotes":         {"\"a \"\"b\"\" c\",d\n", []string{`1: a "b" c|d`}},
		"quoted line end":        {"\"a\nb\",c\nd,e\n", []string{"1: a\nb|c@2", "3: d|e"}},
		"quoted windows end":     {"\"a\r\nb\",c\r\nd,e\r\n", []string{"1: a\r\nb|c@2", "3: d|e"}},
		"two quoted line ends":   {"\"a\nb\",\"c\n\nd\",e\nf\n", []string{"1: a\nb|c\n\nd@2|e@4", "5: f"}},
		"empty quoted":           {"\"\",\"\"\n", []string{"1: |"}},
		"spaces around quotes":   {"a, \"b\" ,c\n", []string{"1: a|b|c"}},
		"quoted at the end":      {"a,\"b\"", []string{"1: a|b"}},
		"quoted, return, end":    {"a,\"b\"\r", []string{"1: a|b"}},
		"text mark":              {"=\"0491\",b\n", []string{`1: ="0491"|b`}},
		"text mark, end":         {"a,=\"0491\"\r\n", []string{`1: a|="0491"`}},
		"return inside":          {"a\rb,c\nd\n\r", []string{"1: a\rb|c", "2: d", "3: "}},
		"two returns":            {"a,b\r\r\n\"c\"\r\r\nd\r\r\n", []string{"1: a|b", "2: c", "3: d"}},

		"stray quote":                {"a,b\"c,d\ne,f\n", []string{"1! stray_quote line 1 character 4 column 2", "2: e|f"}},
		"stray quote after a close":  {"a,\"b\" c,d\ne\n", []string{"1! stray_quote line 1 character 7 column 2", "2: e"}},
		"characters, not bytes":      {"é,\"ü\" c\n", []string{"1! stray_quote line 1 character 7 column 2"}},
		"quote not closed at all":    {"a,\"b\nc,d\n", []string{"1! quote_not_closed line 1 character 3 column 2", "2: c|d"}},
		"closed on a later line":     {"a,\"b\nc,\"d\"\ne,f\n", []string{"1! quote_not_closed line 1 character 3 column 2", "2: c|d", "3: e|f"}},
		"second open quote":          {"\"a\nb\",\"c\nd\n", []string{"1! quote_not_closed line 2 character 4 column 2", "2! stray_quote line 2 character 2 column 1", "3: d"}},
		"quote alone at the end":     {"a\n\"", []string{"1: a", "2! quote_not_closed line 2 character 1 column 1"}},
		"text mark with more inside": {"=\"a\"b\"\n=\"a\"b\nc\n", []string{"1! stray_quote line 1 character 2 column 1", "2! stray_quote line 2 character 2 column 1", "3: c"}},
	} {
		t.Run(name, func(t *testing.T) {
			sources := map[string]io.Reader{
				"whole": strings.NewReader(c.in), "bytes": iotest.OneByteReader(strings.NewReader(c.in)),
				"end with data": iotest.DataErrReader(strings.NewReader(c.in)),
			}
			for how, src := range sources {
				got, err := readAll(t, src, ',')
				if err != nil || !slices.Equal(got, c.want) {
					t.Errorf("%s: got %q, %v; want %q", how, got, err, c.want)
				}
			}
		})
	}
}

// The limits decide by the text alone, at their edges and however the bytes arrive.
func TestReaderLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	wideRow := func(n int) string { return strings.TrimSuffix(strings.Repeat(long(60<<10)+",", n), ",") }
	for name, c := range map[string]struct {
		in    string
		fault string
		rows  int
	}{
		"field at the limit":              {"a," + long(maxField) + "\nb\n", "", 2},
		"field over the limit":            {"a," + long(maxField+1) + "\nb\n", reasonFieldTooLong, 2},
		"last field over the limit":       {"a," + long(maxField+1), reasonFieldTooLong, 1},
		"line far over the row's limit":   {long(3*maxRow) + "\nb\n", reasonFieldTooLong, 2},
		"quoted field within the limit":   {"\"" + long(maxField-1) + "\"\nb\n", "", 2},
		"quoted field over the limit":     {"\"" + long(maxField) + "\"\nb\n", reasonQuoteOpen, 2},
		"quote open over many lines":      {"\"a\n" + strings.Repeat("b\n", maxField), reasonQuoteOpen, maxField + 1},
		"spaces after a close":            {"\"a\"" + strings.Repeat(" ", maxField) + "\nb\n", reasonFieldTooLong + reasonStrayQuote, 2},
		"row within its limit":            {wideRow(17) + "\nb\n", "", 2},
		"row over its limit":              {wideRow(19) + "\nb\n", reasonRowTooLong, 2},
		"row over its limit, many lines":  {"a" + strings.Repeat(",\""+long(60<<10)+"\n\"", 19) + "\nb\n", reasonRowTooLong, -1},
		"as many columns as can be":       {strings.Repeat(",", maxColumns-1) + "\nb\n", "", 2},
		"one column more is marked":       {strings.Repeat(",", maxColumns) + "\nb\n", "wide", 2},
		"many doubled quotes within":      {"\"" + strings.Repeat("\"\"", maxField/2-2) + "\"\nb\n", "", 2},
		"many doubled quotes, over":       {"\"" + strings.Repeat("\"\"", maxField/2) + "\"\nb\n", reasonQuoteOpen, 2},
		"long line of a quote not closed": {"\"" + long(2*maxRow) + "\nb\n", reasonQuoteOpen, 2},
	} {
		t.Run(name, func(t *testing.T) {
			whole, err := readAll(t, strings.NewReader(c.in), ',')
			if err != nil {
				t.Fatal(err)
			}
			if c.rows >= 0 && len(whole) != c.rows {
				t.Errorf("%d rows, want %d", len(whole), c.rows)
			}
			first := whole[0]
			faulty := strings.HasPrefix(first, "1!") || strings.HasSuffix(first, "…")
			if faulty != (c.fault != "") || faulty && !strings.Contains(first, "…") && !strings.Contains(c.fault, strings.Fields(first)[1]) {
				t.Errorf("first row %.60q, want fault %q", first, c.fault)
			}
			pieces, err := readAll(t, iotest.HalfReader(strings.NewReader(c.in)), ',')
			if err != nil || !slices.Equal(whole, pieces) {
				t.Errorf("read in pieces: %d rows, %v", len(pieces), err)
			}
		})
	}
}

// The reader's buffer must stay bounded however bad the text is.
func TestReaderMemory(t *testing.T) {
	for name, in := range map[string]string{
		"one line":              strings.Repeat("x", 8<<20),
		"one open quote":        "\"" + strings.Repeat("x", 8<<20),
		"many open quotes":      strings.Repeat("\"x\n\n", 2<<20),
		"one endless row":       strings.Repeat("\"x\n\",", 2<<20),
		"separators and spaces": strings.Repeat(" ,", 4<<20),
	} {
		t.Run(name, func(t *testing.T) {
			r := newReader(strings.NewReader(in))
			if err := r.open(); err != nil {
				t.Fatal(err)
			}
			var w row
			for r.next(&w) == nil {
				if len(w.cells) > maxColumns {
					t.Fatalf("%d cells", len(w.cells))
				}
			}
			if limit := 3 * (maxRow + maxField); cap(r.buf) > limit {
				t.Errorf("buffer of %d bytes, limit %d", cap(r.buf), limit)
			}
			if r.consumed != int64(len(in)) {
				t.Errorf("consumed %d of %d bytes", r.consumed, len(in))
			}
		})
	}
}

func TestReaderSourceFails(t *testing.T) {
	broken := errors.New("cable pulled")
	for name, src := range map[string]io.Reader{
		"at once": iotest.ErrReader(broken),
		"later":   io.MultiReader(strings.NewReader("a,b\n"), iotest.ErrReader(broken)),
	} {
		_, err := readAll(t, src, ',')
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultUnreadable || !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readAll(t, idle{}, ','); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("source without data: %v", err)
	}
}

// idle never gives a byte.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// Whatever the bytes: the rows do not depend on how they arrive, and every byte is
// consumed or the file refused.
func FuzzReader(f *testing.F) {
	f.Add([]byte("a,b\n\"c\nd\",e\r\n=\"1\",\"x\"\"y\"\n"), byte(','))
	f.Add([]byte("\ufeffa;b\r\"c\";\"d\r"), byte(';'))
	f.Add([]byte("\"a\"\t b\n\"\n\"\"\n"), byte('\t'))
	f.Fuzz(func(t *testing.T, in []byte, comma byte) {
		if !bytes.ContainsRune([]byte(separators), rune(comma)) {
			comma = ','
		}
		whole, err := readAll(t, bytes.NewReader(in), comma)
		pieces, err2 := readAll(t, iotest.OneByteReader(bytes.NewReader(in)), comma)
		if !slices.Equal(whole, pieces) || fmt.Sprint(err) != fmt.Sprint(err2) {
			t.Fatalf("whole %q %v, in pieces %q %v", whole, err, pieces, err2)
		}
	})
}
