package intake

import (
	"fmt"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// american writes n numbers of the exchange 555, whose lines are unassigned, in many
// areas. The format takes area and line; australian takes the line alone.
func american(n int, format string) string {
	areas := []int{212, 305, 312, 404, 415, 503, 512, 602, 617, 702, 713, 773, 801, 808, 206, 916}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format+"\n", areas[i%len(areas)], i*37%10_000)
	}
	return b.String()
}

// australian writes n numbers reserved for fiction.
func australian(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "(0%d) 5550 %04d\n", []int{2, 3, 7, 8}[i%4], i)
	}
	return b.String()
}

func TestLikelyCountry(t *testing.T) {
	for name, c := range map[string]struct {
		rows, fallback string
		want           string
	}{
		"another country's":          {american(20, "(%d) 555-%04d"), "AU", "US"},
		"lower case default":         {american(20, "(%d) 555-%04d"), "au", "US"},
		"the default's":              {american(20, "(%d) 555-%04d"), "US", ""},
		"one that shares the code":   {american(20, "(%d) 555-%04d"), "CA", ""},
		"mostly another's":           {american(12, "(%d) 555-%04d") + australian(8), "AU", "US"},
		"half and half":              {american(10, "(%d) 555-%04d") + australian(10), "AU", ""},
		"some of another's":          {american(6, "(%d) 555-%04d") + australian(14), "AU", ""},
		"all with their code":        {american(20, "+1 %d 555 %04d"), "AU", ""},
		"mostly with another's code": {american(15, "+1 %d 555 %04d") + american(5, "(%d) 555-%04d"), "AU", "US"},
		"too few to say":             {american(4, "(%d) 555-%04d"), "AU", ""},
		"no default":                 {american(20, "(%d) 555-%04d"), "", ""},
		"far more than the sample":   {american(5000, "(%d) 555-%04d"), "AU", "US"},
		"nonsense":                   {strings.Repeat("abc\n", 20), "AU", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := phoneOptions()
			o.Defaults.Country = c.fallback
			r, _ := importText(t, "phone\n"+c.rows, o, nil)
			got := ""
			if r.LikelyCountry != nil {
				got = r.LikelyCountry.Country
			}
			if got != c.want {
				t.Fatalf("got %+v, want %q", r.LikelyCountry, c.want)
			}
			warned := strings.Contains(strings.Join(r.Warnings, "\n"), "--default-country "+c.want)
			if c.want != "" && (!warned || r.LikelyCountry.Fits*2 <= r.LikelyCountry.RowsLookedAt || r.LikelyCountry.RowsLookedAt > sampleRows) {
				t.Errorf("%+v, warnings %q", r.LikelyCountry, r.Warnings)
			}
		})
	}
}

// A row with a country of its own says nothing about the default.
func TestOwnCountriesAreNotSampled(t *testing.T) {
	o := phoneOptions()
	r, err := importText(t, "phone,country\n"+american(20, "(%d) 555-%04d,US"), o, nil)
	if err != nil || r.LikelyCountry != nil || r.Ready != 20 {
		t.Errorf("%v, %+v, %v", r, r.LikelyCountry, err)
	}
}

func TestSampleIsSpread(t *testing.T) {
	for _, n := range []int{0, 1, sampleRows - 1, sampleRows, sampleRows + 1, 10 * sampleRows} {
		var s sampler
		for i := range n {
			row := rawRow{}
			row.cells[fieldValue] = fmt.Sprint(i)
			s.look(&outcome{national: true}, &row)
		}
		if len(s.cells) > sampleRows || len(s.cells) < min(n, sampleRows/2) {
			t.Errorf("%d rows: sample of %d", n, len(s.cells))
		}
		for i, cell := range s.cells {
			if cell != fmt.Sprint(i*s.every) {
				t.Errorf("%d rows: cell %d is row %s, every %d", n, i, cell, s.every)
				break
			}
		}
	}
}

func TestCallingCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range callingCodes() {
		if seen[c.country] {
			t.Errorf("%s twice", c.country)
		}
		seen[c.country] = true
		// The form of the code must be one that the parser knows for that country.
		_, _, err := indicator.Parse(indicator.Phone, "5550123", indicator.Defaults{Country: c.country})
		if err != nil && strings.Contains(err.Error(), "country code") {
			t.Errorf("%s: %v", c.country, err)
		}
	}
}

func TestLostZeros(t *testing.T) {
	column := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+"\n", 1000+i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		cells string
		want  int
	}{
		"all of one length":     {column(20, "1234%d"), 0},
		"some shorter":          {column(17, "1234%d") + column(3, "123%d"), 3},
		"two shorter":           {column(17, "1234%d") + column(3, "12%d"), 3},
		"zeros are still there": {column(17, "1234%d") + column(3, "123%d") + "01234567\n", 0},
		"no usual length":       {column(10, "1234%d") + column(10, "123%d"), 0},
		"too few":               {column(8, "1234%d") + column(1, "123%d"), 0},
		"letters":               {column(20, "AB%d"), 0},
	} {
		var d digitColumn
		for cell := range strings.Lines(c.cells) {
			d.look(cell)
		}
		if got := d.lost(); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	o := phoneOptions()
	o.Kind, o.Handling.Category, o.Defaults.Issuer = indicator.Document, indicator.DocumentItem, "AUS"
	r, err := importText(t, "document\n"+column(17, "1234%d")+column(3, "123%d"), o, nil)
	if err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), "3 numbers shorter than the others") {
		t.Errorf("%q, %v", r.Warnings, err)
	}
}
