package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"entente/protocol/indicator"
)

const (
	sampleRows = 256 // of a file at most; spread evenly over it
	leastRows  = 5   // fewer say nothing about a country
	maxAlso    = 3   // further countries that are named
)

// sampler keeps cells that the default country may have completed: every nth, with n
// doubled whenever the sample is full, so that it does not depend on the file's length
// or on the number of cores.
type sampler struct {
	cells []string
	every int
	count int
}

func (s *sampler) look(out *outcome, r *rawRow) {
	if !out.national || strings.TrimSpace(r.cells[fieldValue]) == "" {
		return
	}
	if s.every == 0 {
		s.every = 1
	}
	if s.count%s.every == 0 {
		if len(s.cells) == sampleRows {
			for i := range sampleRows / 2 {
				s.cells[i] = s.cells[2*i]
			}
			s.cells = s.cells[:sampleRows/2]
			s.every *= 2
		}
		if s.count%s.every == 0 {
			s.cells = append(s.cells, strings.Clone(r.cells[fieldValue]))
		}
	}
	s.count++
}

// callingCodes are the countries that a list is compared with: the members of the Bali
// Process and the observers with most exchange. Of those that share a code the first is named.
func callingCodes() []struct{ country, code string } {
	return []struct{ country, code string }{
		{"AE", "971"}, {"AF", "93"}, {"AU", "61"}, {"BD", "880"}, {"BN", "673"}, {"BT", "975"},
		{"CN", "86"}, {"DE", "49"}, {"ES", "34"}, {"FJ", "679"}, {"FM", "691"}, {"FR", "33"}, {"GB", "44"},
		{"HK", "852"}, {"ID", "62"}, {"IN", "91"}, {"IQ", "964"}, {"IR", "98"}, {"IT", "39"}, {"JO", "962"}, {"JP", "81"}, {"KH", "855"}, {"KI", "686"},
		{"KP", "850"}, {"KR", "82"}, {"LA", "856"}, {"LK", "94"}, {"MH", "692"}, {"MM", "95"}, {"MN", "976"}, {"MO", "853"}, {"MV", "960"}, {"MY", "60"},
		{"NC", "687"}, {"NL", "31"}, {"NP", "977"}, {"NR", "674"}, {"NZ", "64"}, {"PG", "675"}, {"PH", "63"}, {"PK", "92"},
		{"PW", "680"}, {"SB", "677"}, {"SE", "46"}, {"SG", "65"}, {"SY", "963"}, {"TH", "66"}, {"TL", "670"}, {"TO", "676"},
		{"TR", "90"}, {"US", "1"}, {"CA", "1"}, {"VN", "84"}, {"VU", "678"}, {"WS", "685"},
	}
}

// judge compares the default country with all others. Some numbering plans take almost
// any digits, so what counts is the lift: the points for cells that fit, less those that
// cells of the same shape but of other digits would get. It answers only if most rows
// fit another country and its lift is clearly larger than the default's.
func (s *sampler) judge(ctx context.Context, o Options) (*LikelyCountry, error) {
	n := len(s.cells)
	if o.Kind != indicator.Phone || o.Defaults.Country == "" || n < leastRows {
		return nil, nil
	}
	own := strings.ToUpper(strings.TrimSpace(o.Defaults.Country))
	code := ""
	for _, c := range callingCodes() {
		if c.country == own {
			code = c.code
		}
	}
	fits, points := countFits(s.cells, own, code)
	national, others := s.shapes()
	if fits*10 >= n*9 || national == 0 {
		return nil, nil
	}
	_, chance := countFits(others, own, code)
	found, err := s.better(ctx, others, code, fits, max(points-chance, 0)+n/4)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	likely := &LikelyCountry{Country: found[0].country, Fits: found[0].fits, Default: own, DefaultFits: fits, RowsLookedAt: n}
	for _, c := range found[1:min(len(found), 1+maxAlso)] {
		if c.lift*4 >= found[0].lift*3 {
			likely.Also = append(likely.Also, c.country)
		}
	}
	return likely, nil
}

// candidate is a country that fits better than the default.
type candidate struct {
	country    string
	fits, lift int
}

// better returns the countries of another code whose lift is over least and that fit
// most cells, and clearly more than the default; the best first.
func (s *sampler) better(ctx context.Context, others []string, code string, fits, least int) ([]candidate, error) {
	n := len(s.cells)
	var found []candidate
	for _, c := range callingCodes() {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("compare countries: %w", err)
		}
		if c.code == code {
			continue
		}
		f, points := countFits(s.cells, c.country, c.code)
		if f*2 <= n || (f-fits)*10 < n {
			continue
		}
		_, chance := countFits(others, c.country, c.code)
		if lift := points - chance; lift > least {
			found = append(found, candidate{c.country, f, lift})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return b.lift - a.lift })
	return found, nil
}

// shapes returns how many cells are written without a country code, and for each of
// them one of the same shape: leading zeros and signs kept, other digits replaced.
func (s *sampler) shapes() (national int, others []string) {
	state := uint32(1)
	for _, cell := range s.cells {
		if _, _, err := indicator.Parse(indicator.Phone, cell, indicator.Defaults{}); !isReason(err, indicator.ReasonCountryMissing) {
			continue
		}
		national++
		leading := true
		others = append(others, strings.Map(func(r rune) rune {
			if r < '0' || r > '9' || leading && r == '0' {
				return r
			}
			leading = false
			state = state*1664525 + 1013904223 // a fixed sequence keeps the report reproducible
			return rune('0' + state>>24%10)
		}, cell))
	}
	return national, others
}

// countFits counts the cells that are numbers of a country's assigned ranges, written
// as there or with its code. An empty code accepts any. Each is two points, or one if
// the leading zero is missing, with which people there write it.
func countFits(cells []string, country, code string) (fits, points int) {
	for _, cell := range cells {
		v, changes, err := indicator.Parse(indicator.Phone, cell, indicator.Defaults{Country: country})
		if err != nil || !strings.HasPrefix(v.Canonical(), "+"+code) || hasCode(changes, "plausible") {
			continue
		}
		fits++
		points += 2
		if hasCode(changes, "trunk_zero_missing") {
			points--
		}
	}
	return fits, points
}

func hasCode(changes []indicator.Change, code string) bool {
	for _, c := range changes {
		if c.Code == code {
			return true
		}
	}
	return false
}

// digitColumn notices numbers that lost their leading zeros: all others have one
// length, some are shorter, and none begins with a zero.
type digitColumn struct {
	byLength [33]int
	zero     int // begin with 0
}

func (d *digitColumn) look(cell string) {
	cell = strings.TrimSpace(cell)
	if cell == "" || len(cell) >= len(d.byLength) || strings.Trim(cell, "0123456789") != "" {
		return
	}
	d.byLength[len(cell)]++
	if cell[0] == '0' {
		d.zero++
	}
}

// lost returns the number of cells that are shorter by one or two than nearly all
// others, or 0 if the column looks whole.
func (d *digitColumn) lost() int {
	all, usual := 0, 0
	for n, count := range d.byLength {
		all += count
		if count > d.byLength[usual] {
			usual = n
		}
	}
	if d.zero > 0 || usual < 3 || all < 2*leastRows || d.byLength[usual]*10 < all*7 {
		return 0
	}
	return d.byLength[usual-1] + d.byLength[usual-2]
}
