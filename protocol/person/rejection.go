package person

// Reason is why a record was rejected: a stable, closed set that reports count by.
type Reason string

// The reasons. Each has one fixed sentence, which is the Rejection's text.
const (
	ReasonEmpty        Reason = "empty"
	ReasonNotText      Reason = "not_text"
	ReasonTooLong      Reason = "too_long"
	ReasonCharacters   Reason = "characters"
	ReasonNameMissing  Reason = "name_missing"
	ReasonStopValue    Reason = "stop_value"
	ReasonBirthMissing Reason = "birth_missing"
	ReasonBirthForm    Reason = "birth_form"
	ReasonAmbiguous    Reason = "birth_ambiguous"
	ReasonShortYear    Reason = "birth_short_year"
	ReasonCalendar     Reason = "birth_calendar"
	ReasonNoSuchDay    Reason = "birth_no_such_day"
	ReasonYear         Reason = "birth_year"
	ReasonNotCanonical Reason = "not_canonical"
)

// Rejection is the error of Parse and Restore. It never holds the value.
type Rejection struct {
	Reason Reason
	Text   string // one sentence for people
}

// Error returns the sentence.
func (r *Rejection) Error() string { return r.Text }

func reject(r Reason) *Rejection { return &Rejection{Reason: r, Text: r.Text()} }

// Reasons lists all reasons in a fixed order, for reports and documents.
func Reasons() []Reason {
	out := make([]Reason, 0, len(reasonTexts))
	for _, t := range reasonTexts {
		out = append(out, t.reason)
	}
	return out
}

// Text is the reason's sentence, "rejected" for a reason that is none.
func (r Reason) Text() string {
	for _, t := range reasonTexts {
		if t.reason == r {
			return t.text
		}
	}
	return "rejected"
}

var reasonTexts = [...]struct {
	reason Reason
	text   string
}{
	{ReasonEmpty, "the record is empty"},
	{ReasonNotText, "not valid UTF-8 text, or it holds control characters"},
	{ReasonTooLong, "too long for a name, or too many names; give fewer variants"},
	{ReasonCharacters, "holds digits or signs that no name has"},
	{ReasonNameMissing, "no name is given"},
	{ReasonStopValue, "a placeholder, not a name or date that somebody has"},
	{ReasonBirthMissing, "no year of birth is given; a name alone would match many people"},
	{ReasonBirthForm, "not a date, a year with month or a year"},
	{ReasonAmbiguous, "day and month could be exchanged; say which comes first, or write year-month-day"},
	{ReasonShortYear, "the year has two digits; write four"},
	{ReasonCalendar, "the year is not of the common calendar; say which calendar the column has"},
	{ReasonNoSuchDay, "there is no such day"},
	{ReasonYear, "the year is too long ago or has not come"},
	{ReasonNotCanonical, "the stored bytes are not a canonical person of this version"},
}
