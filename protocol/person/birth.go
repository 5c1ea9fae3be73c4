package person

import "fmt"

// Birth is a date of birth in the Gregorian calendar. Month and Day are 0 if not known; a
// day is never known without its month.
type Birth struct {
	Year  int
	Month int
	Day   int
}

// First and last year of birth that is accepted. Every living person is in between; a
// fixed end keeps reading independent of the clock.
const (
	FirstYear = 1880
	LastYear  = 2099
)

// String writes the canonical form: YYYY-MM-DD, YYYY-MM or YYYY.
func (b Birth) String() string {
	switch {
	case b.Month == 0:
		return fmt.Sprintf("%04d", b.Year)
	case b.Day == 0:
		return fmt.Sprintf("%04d-%02d", b.Year, b.Month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", b.Year, b.Month, b.Day)
}

// known reports whether day and month say something: 1 January stands for "unknown" in
// so many registers that it is read as the year alone.
func (b Birth) known() bool { return b.Day != 0 && (b.Day != 1 || b.Month != 1) }

func (b Birth) check() *Rejection {
	switch {
	case b.Year < FirstYear || b.Year > LastYear:
		return reject(ReasonYear)
	case b == Birth{1900, 1, 1}:
		return reject(ReasonStopValue)
	case b.Month < 0 || b.Month > 12 || b.Day < 0 || (b.Day > 0 && (b.Month == 0 || b.Day > daysIn(b.Year, b.Month))):
		return reject(ReasonNoSuchDay)
	}
	return nil
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	}
	return 31
}

// parseCanonicalBirth reads exactly what String writes.
func parseCanonicalBirth(s string) (Birth, bool) {
	var b Birth
	digits := func(s string) int {
		n := 0
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return -1
			}
			n = 10*n + int(s[i]-'0')
		}
		return n
	}
	switch len(s) {
	case 4:
		b.Year = digits(s)
	case 7:
		b.Year, b.Month = digits(s[:4]), digits(s[5:])
	case 10:
		b.Year, b.Month, b.Day = digits(s[:4]), digits(s[5:7]), digits(s[8:])
	}
	return b, b.Year > 0 && b.check() == nil && b.String() == s
}
