package person

// Change is one alteration between what was written and the canonical person, or a remark
// that goes with it. Code is stable; Text says it in plain words, without the value.
type Change struct {
	Code string
	Text string
}

// The changes, in the order in which a reader meets them: names, date of birth.
var (
	changeInvisible   = Change{"invisible_removed", "invisible characters removed"}
	changeFolded      = Change{"characters_folded", "full-width letters, ligatures and other forms of signs written as plain ones"}
	changeCase        = Change{"case_folded", "letters written in lower case"}
	changePunctuation = Change{"punctuation_removed", "points, commas and quotation marks removed"}
	changeVariant     = Change{"variant_split", "another name in the same cell (in brackets, or after alias, aka, @ or a stroke) taken as a variant"}
	changeRelation    = Change{"relation_written_out", "s/o, d/o, a/l or a/p written as bin or binti"}
	changeRepeated    = Change{"repeated_removed", "a name that was given twice is kept once"}
	changePlaceholder = Change{"placeholder_removed", "a variant that stands for no name removed"}
	changeUnknown     = Change{"unknown_characters", "some letters are in no table; they match only the same letters"}
	changeOneWord     = Change{"one_word", "the name has one word besides initials and titles; it says little"}
	changeDigits      = Change{"digits_folded", "national digits written as 0 to 9"}
	changeDate        = Change{"date_rewritten", "date written as year-month-day"}
	changeOrder       = Change{"order_assumed", "day and month read in the order given for the column"}
	changeCalendar    = Change{"calendar_converted", "date converted from the calendar given for the column"}
	changeTabular     = Change{"calendar_tabular", "lunar dates are converted by rule; the day may differ by one or two"}
	changeYearOnly    = Change{"year_converted", "a year of another calendar begins on another day; the common year that holds most of it was taken"}
	changeApproximate = Change{"approximate", "marked as approximate; kept as written"}
	changePartial     = Change{"partial_date", "day or month given as 00 left out"}
	changeJanuary     = Change{"first_of_january", "1 January often stands for an unknown day; it counts as the year alone"}
)
