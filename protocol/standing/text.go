package standing

// ConsequenceVersion is the number of the wording below. Offers carry it, so both sides
// have agreed to the same words; a changed meaning needs a new number.
const ConsequenceVersion = 1

// What every person who decides about a subscription must have read. `round plan` and the
// question to a person show these sentences as they are; SPEC has them too.
const (
	// Consequence is what an asker can do with what it holds.
	Consequence = "Until the tag period ends, the side that learns can test everything that it ever had evaluated " +
		"against the tags that it has kept and against every later change. The other side can neither see nor stop that."
	// ReceiptMeaning is what a deletion receipt proves and what not.
	ReceiptMeaning = "A deletion receipt is a promise: it proves that the partner's node stated that it holds the set " +
		"without the removed tags. It does not prove that no copy of them exists."
	// TimeMeaning is what the runs add to a hit.
	TimeMeaning = "For every shared item the side that learns also sees in which run it came, went and came back."
	// CheckMeaning is why urgent checks count.
	CheckMeaning = "An urgent check has 64 places, and a partner who cheats can fill all of them with guesses."
	// PeriodMeaning is why the quota is that of a period.
	PeriodMeaning = "Each tag period begins anew: everything that is to be found in it has to be asked again within its quota."
)

// Evaluations returns the most values that a partner who cheats can have evaluated in one
// tag period: the quota's places, and all places of the urgent checks of all UTC days that
// the period can touch. It counts one period, not those that a holder opens before their time.
func Evaluations(queries, checks, periodSeconds uint32) uint64 {
	const day = 24 * 60 * 60
	days := (uint64(periodSeconds)+day-1)/day + 1
	return uint64(queries) + MinPlaces*uint64(checks)*days
}

// Sentences are all of them, in the order in which they are shown.
func Sentences() []string {
	return []string{Consequence, ReceiptMeaning, TimeMeaning, CheckMeaning, PeriodMeaning}
}
