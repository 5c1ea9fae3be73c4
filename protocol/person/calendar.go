package person

// Calendar is the calendar of a column of dates.
type Calendar string

// The calendars. Without one, years outside the common calendar are rejected.
const (
	Gregorian Calendar = ""         // the common calendar
	Buddhist  Calendar = "buddhist" // Thailand, Laos, Cambodia: common year + 543
	Persian   Calendar = "persian"  // solar Hijri: Iran, Afghanistan
	Hijri     Calendar = "hijri"    // lunar Hijri, by the tabular rule
)

// Calendars lists the calendars that a column can name.
func Calendars() []Calendar { return []Calendar{Gregorian, Buddhist, Persian, Hijri} }

// gregorian converts a date of the calendar; parts that are 0 stay unknown.
func (c Calendar) gregorian(b Birth) (Birth, []Change, *Rejection) {
	switch c {
	case Gregorian:
		return b, nil, nil
	case Buddhist:
		return buddhist(b)
	case Persian:
		return fromDays(b, persianDays)
	case Hijri:
		out, changes, r := fromDays(b, hijriDays)
		return out, append(changes, changeTabular), r
	}
	return Birth{}, nil, reject(ReasonCalendar)
}

// buddhist: until 2483 the Thai civil year began on 1 April, so that its January to March
// lie one common year later (Act on the Calendar Year, B.E. 2483).
func buddhist(b Birth) (Birth, []Change, *Rejection) {
	if b.Month > 12 || b.Day > 31 {
		return Birth{}, nil, reject(ReasonNoSuchDay)
	}
	old := b.Year < 2484 && b.Month >= 1 && b.Month <= 3
	b.Year -= 543
	if old {
		b.Year++
	}
	return b, []Change{changeCalendar}, nil
}

// fromDays converts through the number of a day. Without a day the middle of the month is
// taken, without a month the middle of the year; what was not known stays so.
func fromDays(b Birth, days func(Birth) (int, bool)) (Birth, []Change, *Rejection) {
	full := b
	if b.Month == 0 {
		full.Month = 7
	}
	if b.Day == 0 {
		full.Day = 1
		if b.Month != 0 {
			full.Day = 15
		}
	}
	n, ok := days(full)
	if !ok {
		return Birth{}, nil, reject(ReasonNoSuchDay)
	}
	out := dayToDate(n)
	changes := []Change{changeCalendar}
	if b.Day == 0 {
		out.Day = 0
	}
	if b.Month == 0 {
		out.Month = 0
		changes = append(changes, changeYearOnly)
	}
	return out, changes, nil
}

// Days are counted from 1 January of the common year 1, which is day 1 (Rata Die; Reingold
// and Dershowitz, Calendrical Calculations, 4th edition, section 2.2).

func dayToDate(n int) Birth {
	year := n*400/146097 + 1
	for yearDay(year) > n {
		year--
	}
	for yearDay(year+1) <= n {
		year++
	}
	left := n - yearDay(year)
	month := 1
	for left >= daysIn(year, month) {
		left -= daysIn(year, month)
		month++
	}
	return Birth{Year: year, Month: month, Day: left + 1}
}

// yearDay is the day of 1 January of the year.
func yearDay(year int) int {
	y := year - 1
	return 365*y + y/4 - y/100 + y/400 + 1
}

// persianDays: months of 31 days, then of 30; leap years by the 33-year rule, which agrees
// with the astronomical calendar for every year that is accepted (1259 to 1478). Anchor:
// 1 Farvardin 1400 is 21 March 2021.
func persianDays(b Birth) (int, bool) {
	if b.Year < 1200 || b.Year > 1500 || b.Month < 1 || b.Month > 12 {
		return 0, false
	}
	length := 30
	switch {
	case b.Month <= 6:
		length = 31
	case b.Month == 12 && !persianLeap(b.Year):
		length = 29
	}
	if b.Day < 1 || b.Day > length {
		return 0, false
	}
	n := yearDay(2021) + 79 // 21 March 2021
	for y := 1400; y < b.Year; y++ {
		n += 365
		if persianLeap(y) {
			n++
		}
	}
	for y := b.Year; y < 1400; y++ {
		n -= 365
		if persianLeap(y) {
			n--
		}
	}
	return n + 31*min(b.Month-1, 6) + 30*max(b.Month-7, 0) + b.Day - 1, true
}

func persianLeap(year int) bool { return (25*year+11)%33 < 8 }

// hijriDays: the tabular calendar with leap years 2, 5, 7, 10, 13, 16, 18, 21, 24, 26 and 29
// of thirty; 1 Muharram 1 is 16 July 622 of the Julian calendar, day 227,015.
func hijriDays(b Birth) (int, bool) {
	if b.Year < 1200 || b.Year > 1600 || b.Month < 1 || b.Month > 12 {
		return 0, false
	}
	// Observed months may have 30 days where the rule gives 29.
	if b.Day < 1 || b.Day > 30 {
		return 0, false
	}
	return b.Day + 29*(b.Month-1) + b.Month/2 + (b.Year-1)*354 + (3+11*b.Year)/30 + 227014, true
}
