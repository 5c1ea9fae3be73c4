package intake

import (
	"strings"
	"testing"

	"entente/protocol/indicator"
)

// BenchmarkImport is the whole way of a phone row without a store.
func BenchmarkImport(b *testing.B) {
	const n = 20_000
	in := "ref,phone\n" + american(n, "7,(%d) 555-%04d")
	o := phoneOptions()
	o.Defaults.Country = "US"
	b.ReportAllocs()
	for b.Loop() {
		if r, err := importText(b, in, o, nil); err != nil || r.Rows != n {
			b.Fatal(r, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkParse is the parser's share of it, on one core.
func BenchmarkParse(b *testing.B) {
	rows := strings.Split(strings.TrimSpace(american(1000, "(%d) 555-%04d")), "\n")
	i := 0
	for b.Loop() {
		if _, _, err := indicator.Parse(indicator.Phone, rows[i%len(rows)], indicator.Defaults{Country: "US"}); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkReader is the share of splitting the text.
func BenchmarkReader(b *testing.B) {
	in := american(20_000, "7,\"(%d) 555-%04d\",notes of some length")
	b.SetBytes(int64(len(in)))
	var w row
	for b.Loop() {
		r := newReader(strings.NewReader(in))
		if err := r.open(); err != nil {
			b.Fatal(err)
		}
		for r.next(&w) == nil {
			continue
		}
	}
}
