package person

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Order says whether the day or the month comes first in dates that end with the year.
type Order string

// The orders. Without one, dates that can be read both ways are rejected.
const (
	OrderUnknown Order = ""
	DayFirst     Order = "day_first"
	MonthFirst   Order = "month_first"
)

// Orders lists the orders that a column can have.
func Orders() []Order { return []Order{OrderUnknown, DayFirst, MonthFirst} }

// parseBirth reads a date of birth as agencies write it.
func parseBirth(raw string, d Defaults) (Birth, []Change, *Rejection) {
	text, changes, r := cleanBirth(raw)
	if r != nil {
		return Birth{}, nil, r
	}
	p := dateParts{calendar: d.Calendar}
	if r := p.read(text); r != nil {
		return Birth{}, nil, r
	}
	b, more, r := p.arrange(d.Order)
	if r != nil {
		return Birth{}, nil, r
	}
	changes = append(changes, more...)
	if r := plausibleYear(b.Year, d.Calendar); r != nil {
		return Birth{}, nil, r
	}
	b, more, r = d.Calendar.gregorian(b)
	if r != nil {
		return Birth{}, nil, r
	}
	changes = append(changes, more...)
	if r := b.check(); r != nil {
		return Birth{}, nil, r
	}
	if p.approximate {
		changes = append(changes, changeApproximate)
	}
	if b.Day != 0 && !b.known() {
		changes = append(changes, changeJanuary)
	}
	if len(changes) == 0 && b.String() != raw {
		changes = append(changes, changeDate)
	}
	return b, changes, nil
}

// cleanBirth folds digits and case and cuts the midnight that spreadsheets add.
func cleanBirth(raw string) (string, []Change, *Rejection) {
	s, changes, r := clean(raw)
	if r != nil {
		if r.Reason == ReasonEmpty {
			r = reject(ReasonBirthMissing)
		}
		return "", nil, r
	}
	s = norm.NFKC.String(s)
	folded := strings.Map(func(c rune) rune {
		if v, ok := digitValue(c); ok {
			return rune('0' + v)
		}
		return unicode.ToLower(c)
	}, s)
	if folded != strings.ToLower(s) {
		changes = append(changes, changeDigits)
	}
	for _, midnight := range []string{"t00:00:00z", "t00:00:00", " 00:00:00", " 0:00", " 00:00"} {
		if rest, ok := strings.CutSuffix(folded, midnight); ok {
			folded = rest
			changes = append(changes, changeDate)
			break
		}
	}
	return strings.TrimSpace(folded), changes, nil
}

// plausibleYear tells years of another calendar than the column's.
func plausibleYear(year int, c Calendar) *Rejection {
	first, last := FirstYear, LastYear
	switch c {
	case Buddhist:
		first, last = first+543, last+543
	case Persian:
		first, last = first-622, last-621
	case Hijri:
		first, last = 1297, 1526
	}
	switch {
	case year >= first && year <= last:
		return nil
	case year >= 1258 && year <= 1526, year >= FirstYear && year <= LastYear, year >= FirstYear+543 && year <= LastYear+543:
		return reject(ReasonCalendar)
	}
	return reject(ReasonYear)
}

// dateParts are the numbers of a date in their order.
type dateParts struct {
	calendar    Calendar
	numbers     [3]int
	digits      [3]int // how many digits each had
	count       int
	month       int  // named month
	monthAt     int  // how many numbers came before it
	dots        bool // numbers are separated by points
	approximate bool
}

func (p *dateParts) read(s string) *Rejection {
	for len(s) > 0 {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n < 0 {
			n = len(s)
		}
		if n > 0 {
			if p.count == 3 || n > 8 {
				return reject(ReasonBirthForm)
			}
			for _, c := range s[:n] {
				p.numbers[p.count] = 10*p.numbers[p.count] + int(c-'0')
			}
			p.digits[p.count] = n
			p.count++
			s = s[n:]
			continue
		}
		n = strings.IndexFunc(s, unicode.IsDigit)
		if n < 0 {
			n = len(s)
		}
		if r := p.between(s[:n]); r != nil {
			return r
		}
		s = s[n:]
	}
	return nil
}

// between reads what stands between, before or after numbers.
func (p *dateParts) between(s string) *Rejection {
	if strings.Trim(s, ". ") == "" && strings.Contains(s, ".") && p.count > 0 {
		p.dots = true
		return nil
	}
	s = tables().eras.Replace(s)
	for w := range strings.FieldsFuncSeq(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("/.,،", r) }) {
		if r := p.word(w); r != nil {
			return r
		}
	}
	return nil
}

func (p *dateParts) word(w string) *Rejection {
	switch w {
	case "c", "ca", "circa", "approx", "approximately", "about", "abt", "around":
		p.approximate = true
		return nil
	case "年", "月", "日", "년", "월", "일", "th", "st", "nd", "rd", "de", "of", "г", "года":
		return nil
	case "buddhistera", "be":
		return p.era(Buddhist)
	case "commonera", "ce", "ad":
		return p.era(Gregorian)
	case "hijriera", "ah", "ه", "هـ":
		return p.era(Hijri)
	case "sh", "ش", "هش":
		return p.era(Persian)
	}
	m, ok := tables().months[w]
	if !ok || p.month != 0 {
		return reject(ReasonBirthForm)
	}
	p.month, p.monthAt = m, p.count
	return nil
}

func (p *dateParts) era(c Calendar) *Rejection {
	if p.calendar != c {
		return reject(ReasonCalendar)
	}
	return nil
}

// arrange decides which number is what.
func (p *dateParts) arrange(o Order) (Birth, []Change, *Rejection) {
	n, d := p.numbers, p.digits
	if p.month != 0 {
		return p.named()
	}
	switch {
	case p.count == 1 && d[0] == 4:
		return Birth{Year: n[0]}, nil, nil
	case p.count == 1 && d[0] == 8:
		return p.compact()
	case p.count == 2 && d[0] == 4 && d[1] <= 2:
		return partial(Birth{Year: n[0], Month: n[1]})
	case p.count == 2 && d[1] == 4 && d[0] <= 2:
		return partial(Birth{Year: n[1], Month: n[0]})
	case p.count == 3 && d[0] == 4 && d[1] <= 2 && d[2] <= 2:
		return partial(Birth{n[0], n[1], n[2]})
	case p.count == 3 && d[2] == 4 && d[0] <= 2 && d[1] <= 2:
		return p.yearLast(o)
	case p.count >= 2 && d[0] <= 2 && d[1] <= 2 && d[2] <= 2, p.count == 1 && (d[0] == 6 || d[0] == 2):
		return Birth{}, nil, reject(ReasonShortYear)
	}
	return Birth{}, nil, reject(ReasonBirthForm)
}

// yearLast reads a, b, year.
func (p *dateParts) yearLast(o Order) (Birth, []Change, *Rejection) {
	a, b, year := p.numbers[0], p.numbers[1], p.numbers[2]
	switch {
	case p.dots || a == b || (a > 12 && b <= 12) || (a == 0 && b > 0):
		return partial(Birth{year, b, a})
	case b > 12 && a <= 12:
		return partial(Birth{year, a, b})
	case a > 12 || b > 12:
		return Birth{}, nil, reject(ReasonNoSuchDay)
	case o == DayFirst:
		b, changes, r := partial(Birth{year, b, a})
		return b, append(changes, changeOrder), r
	case o == MonthFirst:
		b, changes, r := partial(Birth{year, a, b})
		return b, append(changes, changeOrder), r
	}
	return Birth{}, nil, reject(ReasonAmbiguous)
}

// compact reads eight digits as year, month, day, or as day, month, year if only that is
// a date.
func (p *dateParts) compact() (Birth, []Change, *Rejection) {
	n := p.numbers[0]
	first, second := Birth{n / 10000, n / 100 % 100, n % 100}, Birth{n % 10000, n / 10000 % 100, n / 1000000}
	date := func(b Birth) bool {
		return b.Month >= 1 && b.Month <= 12 && b.Day >= 1 && b.Day <= 31 && plausibleYear(b.Year, p.calendar) == nil
	}
	switch {
	case date(first) && date(second):
		return Birth{}, nil, reject(ReasonAmbiguous)
	case date(second):
		return second, nil, nil
	}
	return partial(first)
}

// named reads a date with a named month.
func (p *dateParts) named() (Birth, []Change, *Rejection) {
	n, d := p.numbers, p.digits
	switch {
	case p.count == 1 && d[0] == 4:
		return Birth{Year: n[0], Month: p.month}, nil, nil
	case p.count == 2 && d[1] == 4 && d[0] <= 2 && p.monthAt <= 1:
		return Birth{n[1], p.month, n[0]}, nil, nil
	case p.count == 2 && d[0] == 4 && d[1] <= 2 && p.monthAt == 1:
		return Birth{n[0], p.month, n[1]}, nil, nil
	case p.count == 2 && d[0] <= 2 && d[1] <= 2, p.count == 1 && d[0] == 2:
		return Birth{}, nil, reject(ReasonShortYear)
	}
	return Birth{}, nil, reject(ReasonBirthForm)
}

// partial leaves out parts that are given as 00.
func partial(b Birth) (Birth, []Change, *Rejection) {
	if b.Month == 0 && b.Day == 0 {
		return b, []Change{changePartial}, nil
	}
	if b.Month == 0 || b.Month > 12 {
		return Birth{}, nil, reject(ReasonNoSuchDay)
	}
	return b, nil, nil
}
