package person

import "testing"

// TestCalendarAnchors converts days that are known in both calendars.
func TestCalendarAnchors(t *testing.T) {
	for _, c := range []struct {
		calendar   Calendar
		from, want Birth
		what       string
	}{
		{Buddhist, Birth{2533, 5, 17}, Birth{1990, 5, 17}, "543 years apart"},
		{Buddhist, Birth{2482, 3, 31}, Birth{1940, 3, 31}, "last months of B.E. 2482"},
		{Buddhist, Birth{2483, 4, 1}, Birth{1940, 4, 1}, "the last year that began in April"},
		{Buddhist, Birth{2484, 1, 1}, Birth{1941, 1, 1}, "the first year that began in January"},
		{Persian, Birth{1357, 11, 22}, Birth{1979, 2, 11}, "revolution in Iran"},
		{Persian, Birth{1298, 5, 28}, Birth{1919, 8, 20}, "treaty of Rawalpindi in force (Afghan date 28 Asad 1298)"},
		{Persian, Birth{1399, 1, 1}, Birth{2020, 3, 20}, "new year"},
		{Persian, Birth{1403, 12, 30}, Birth{2025, 3, 20}, "last day of a leap year"},
		{Hijri, Birth{1400, 1, 1}, Birth{1979, 11, 21}, "new century, tabular (observed: 20 or 21 November)"},
		{Hijri, Birth{1445, 1, 1}, Birth{2023, 7, 19}, "new year, tabular"},
	} {
		got, _, r := c.calendar.gregorian(c.from)
		if r != nil || got != c.want {
			t.Errorf("%s %v (%s): %v, want %v (%v)", c.calendar, c.from, c.what, got, c.want, r)
		}
	}
	if _, _, r := Calendar("julian").gregorian(Birth{1990, 5, 17}); r == nil {
		t.Error("an unknown calendar converts")
	}
}

// TestDaysFollow: consecutive days of each calendar are consecutive common days.
func TestDaysFollow(t *testing.T) {
	for name, days := range map[string]func(Birth) (int, bool){"persian": persianDays, "hijri": hijriDays} {
		last := 0
		for y := 1300; y < 1480; y++ {
			for m := 1; m <= 12; m++ {
				first, ok := days(Birth{y, m, 1})
				if !ok {
					t.Fatalf("%s %d-%d", name, y, m)
				}
				if length := first - last; last > 0 && (length < 29 || length > 31) {
					t.Fatalf("%s: the month before %d-%d has %d days", name, y, m, length)
				}
				last = first
			}
		}
	}
	for n := yearDay(FirstYear); n < yearDay(LastYear); n++ {
		b, next := dayToDate(n), dayToDate(n+1)
		follows := next == Birth{b.Year, b.Month, b.Day + 1} || next == Birth{b.Year, b.Month + 1, 1} || next == Birth{b.Year + 1, 1, 1}
		if !follows || b.check() != nil && b != (Birth{1900, 1, 1}) {
			t.Fatalf("%v is followed by %v", b, next)
		}
	}
}

func TestCalendarsAreListed(t *testing.T) {
	for _, c := range Calendars() {
		if _, _, r := c.gregorian(map[Calendar]Birth{Gregorian: {1990, 5, 17}, Buddhist: {2533, 5, 17}, Persian: {1369, 2, 27}, Hijri: {1410, 10, 22}}[c]); r != nil {
			t.Errorf("calendar %q: %v", c, r)
		}
	}
}
