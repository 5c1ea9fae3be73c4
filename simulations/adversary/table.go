package adversary

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"
)

// width of a paragraph, which the narrowest usual terminal shows.
const width = 78

// largePlan is a national numbering plan with nine free digits.
const largePlan = 1e9

// Write writes the report for people: the figures, then in plain words what each way of
// publishing gave up.
func (r Report) Write(w io.Writer) error {
	s, v := r.Settings, r.Versions
	var b strings.Builder
	paragraph(&b, "", "B holds a list of %s numbers out of a numbering plan of %s (invented: +999 is nobody's country code). "+
		"It publishes the list in three ways. A, a partner, tries to find out what is on it by guessing.", count(s.Held), count(s.Guesses))
	fmt.Fprintf(&b, "\nseed %d, entente-sim %s, %s, %s, kernel %s\n%s\n\n", s.Seed, v.Program, v.Protocol, v.Go, v.Kernel, r.Measured.Machine)
	r.table(&b)
	for _, p := range []struct{ label, text string }{
		{"Bloom filter: " + r.filterVerdict(), r.filterWords()},
		{"Tags: " + r.tagsVerdict(), r.tagsWords()},
		{"Counted questions: " + r.questionsVerdict(), r.questionsWords()},
	} {
		b.WriteString("\n" + p.label + "\n")
		paragraph(&b, "  ", "%s", p.text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes the figures, one column for each publication.
func (r Report) table(b *strings.Builder) {
	f, t, q, m := r.Results.Filter, r.Results.Tags, r.Results.Questions, r.Measured
	all := []Outcome{f.Outcome, t.Outcome, q.Outcome}
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	line := func(label string, cell func(Outcome) int) {
		row := []string{label}
		for _, o := range all {
			row = append(row, count(cell(o)))
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	fmt.Fprintln(w, "\tBLOOM FILTER\tTAGS ALONE\tCOUNTED QUESTIONS")
	line("guesses of A", func(o Outcome) int { return o.Guesses })
	line("listed numbers found", func(o Outcome) int { return o.Recovered })
	line("other numbers taken for listed", func(o Outcome) int { return o.False })
	line("places in B's books", func(o Outcome) int { return o.Charged })
	line("what they entitle A to find", func(o Outcome) int { return o.Ideal })
	line("found beyond that", func(o Outcome) int { return o.Beyond })
	line("refusals in B's books", func(o Outcome) int { return o.Refused })
	fmt.Fprintf(w, "first seen by B\tnever\tnever\t%s\n", r.noticed())
	fmt.Fprintf(w, "processor time\t%s\t%s\t%s\n", seconds(m.Filter.CPUSeconds), seconds(m.Tags.CPUSeconds), seconds(m.Questions.CPUSeconds))
	_ = w.Flush() // a Builder does not fail
}

// noticed is the first day on which B's books hold a refusal.
func (r Report) noticed() string {
	for _, d := range r.Results.Questions.Days {
		if d.Refused > 0 {
			return fmt.Sprintf("day %d of %d", d.Day, r.Results.Questions.PeriodDays)
		}
	}
	return "never"
}

func (r Report) filterVerdict() string { return amount(r.Results.Filter.Recovered, r.Settings.Held) }

func (r Report) filterWords() string {
	f := r.Results.Filter
	large := time.Duration(r.Measured.Filter.CPUSeconds / float64(r.Settings.Guesses) * largePlan * float64(time.Second))
	return fmt.Sprintf("Whoever may look up own numbers can look up all numbers. B sees none of that, cannot count it and cannot take the "+
		"filter back. The filter has %s bits and one false answer in %s; at this rate a plan of a thousand million numbers takes "+
		"about %s on one core.", count(f.Bits), count(int(1/f.FalseRate+0.5)), large.Round(time.Second))
}

func (r Report) tagsVerdict() string { return amount(r.Results.Tags.Recovered, r.Settings.Held) }

func (r Report) tagsWords() string {
	t, tested := r.Results.Tags, 0
	for _, w := range t.Ways {
		tested += w.Tested
	}
	return fmt.Sprintf("A made %s strings in %d ways that need nothing from B, and %s of them are among the %s tags. With B's key the same test "+
		"finds %s of %s numbers: so the key is all that stands between A and the list, and it never leaves B. That there is no other way "+
		"is an assumption (RFC 9497 names it), which a test cannot prove.",
		count(tested), len(t.Ways), none(t.Recovered+t.False), count(t.Published), count(t.Control.Found), count(r.Settings.Held))
}

func (r Report) questionsVerdict() string {
	q, s := r.Results.Questions, r.Settings
	if s.Quota >= s.Guesses {
		return amount(q.Recovered, s.Held)
	}
	return amount(q.Recovered, s.Held) + ", as chance has it"
}

func (r Report) questionsWords() string {
	q, s := r.Results.Questions, r.Settings
	if s.Quota >= s.Guesses {
		return fmt.Sprintf("The quota of %s places is as large as the plan: it stops nothing, and B's books show no refusal. Agree on a smaller one.",
			count(s.Quota))
	}
	return fmt.Sprintf("Each place is one guess, and of %s about %.4g are on the list. B's books show the quota used up on the first day, then the refusals "+
		"(error %d), one a day, with A's name. Other guesses under a number that was charged already are refused too (error %d). "+
		"A quota limits and does not prevent: a partner that stays within it is never refused, may test chosen numbers, also against "+
		"what is listed later in the same tag period, and gets through the plan in %s periods of %d days (%.1f years). B's books then show "+
		"the quota used to the last place in each of them.",
		count(s.Quota), float64(s.Quota)*r.Results.Chance, q.OverQuota, q.OldNumber, count(q.PlanPeriods), q.PeriodDays, float64(q.PlanDays)/365.25)
}

// amount says how much of a list was given up.
func amount(n, of int) string {
	switch n {
	case 0:
		return "nothing of the list"
	case of:
		return fmt.Sprintf("the whole list, %s numbers", count(of))
	}
	return fmt.Sprintf("%s of %s numbers (%.2g %%)", count(n), count(of), 100*float64(n)/float64(of))
}

func none(n int) string {
	if n == 0 {
		return "none"
	}
	return count(n)
}

func seconds(s float64) string { return fmt.Sprintf("%.1f s", s) }

// count writes a number with its thousands apart.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// paragraph writes text broken at spaces, each line after an indent.
func paragraph(b *strings.Builder, indent, format string, args ...any) {
	line := indent
	for word := range strings.FieldsSeq(fmt.Sprintf(format, args...)) {
		switch {
		case line == indent:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
}
