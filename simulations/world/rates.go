package world

import "math"

// Rate is a chance in ten thousand.
type Rate int

const whole = 10_000

// Rates of damage. Unless said, a rate holds for the two records of one person: the chance
// that at least one of them is written so. Each record is damaged on its own, at the rate
// that alone returns, whether its person is in both lists or not. The first six exceed what an
// earlier study of candidate keys used (25 %, 6 %, 10 %, 25 %, 16 %, 12 %), which had no others.
const (
	Respelled     Rate = 3000 // a word is spelled by one more rule of its culture; 25 % or more remain after words that no rule fits
	Mistyped      Rate = 700  // a word has a slip of the keyboard: a letter left out, doubled, exchanged, or its neighbour's; 6 % or more remain, as some words are too short
	Swapped       Rate = 1100 // the family name, or the last of several names, stands at the other end
	MiddleDropped Rate = 2500 // middle names, patronymics, father's or grandfather's names are missing, where there are any
	BornDamaged   Rate = 1800 // day and month exchanged, year one off, or 1 January of the year; 16 % or more remain where the day is known
	NewYearBorn   Rate = 1200 // of persons: registered as born on a 1 January

	OwnForm       Rate = 2500 // one record, and only one, is in the person's own script or orthography, where the culture has one
	OtherSpelling Rate = 1500 // another country's manner of spelling (Pinyin for Wade-Giles, Ukrainian for Russian …), where there are several
	YearOnly      Rate = 300  // only the year of birth is known
	Titled        Rate = 1000 // a title or honorific stands before the name
	BurmeseTitled Rate = 4000 // the same of Burmese names, which are rarely without
	Initial       Rate = 500  // a middle or father's name is only its first letter
	TamilInitial  Rate = 3500 // the same of Tamil fathers' names, where that is the custom
	MotherDropped Rate = 3000 // the mother's family name is missing, where there are two
	FeminineLost  Rate = 1500 // a woman's family name has the masculine ending, where endings differ
	Filled        Rate = 2000 // a single name is filled up: FNU, or written twice
	ToneDropped   Rate = 1500 // Vietnamese without tone marks, but with the marks of vowels; the other Latin forms have neither
)

// Rates of a single record: ways of writing that are no mistakes.
const (
	MarksDropped   Rate = 6000 // diacritics of Latin scripts are left out, where there are any
	Decomposed     Rate = 300  // diacritics are separate characters (Unicode NFD), where there are any
	Capitals       Rate = 2500 // all in capitals
	FamilyCapitals Rate = 1500 // the family name in capitals
	CommaWritten   Rate = 5000 // a comma behind a family name that was moved to the front
	ParticleKept   Rate = 2500 // ibn, bin, bint between a name and the father's
	MalayKept      Rate = 9000 // the same for bin and binti, a/l and a/p in Malaysia, where they are part of the name
)

// Decoys: other persons in list B who are near to one in list A, per record of A. They are
// the wrong hits that a matcher has to withstand.
const (
	Siblings  Rate = 200 // same family and father's names, other given name and birth
	Namesakes Rate = 100 // same full name, born in another year
	Twins     Rate = 50  // same family and father's names and same birth, other given name
)

// Weights of how al- before a name is written: al-X, Al-X, Al X, El X, El-X, Alx, with
// assimilation (ash-Shami, before sun letters), and left out.
func articleWeights(french bool) []int {
	if french {
		return []int{2, 5, 10, 45, 10, 8, 0, 20}
	}
	return []int{15, 25, 25, 8, 5, 10, 5, 7}
}

// Weights of how bin and its like are joined to the father's name: apart, by a hyphen, as
// one word.
func particleWeights() []int { return []int{70, 15, 15} }

// alone returns the rate of one record, so that at least one of two is damaged at rate r:
// the least a with (1 − a)² ≤ 1 − r, in ten thousandths.
func (r Rate) alone() Rate {
	left := (whole - int(r)) * whole
	root := int(math.Sqrt(float64(left)))
	for root*root > left {
		root--
	}
	for (root+1)*(root+1) <= left {
		root++
	}
	return Rate(whole - root)
}

// Damage is a set of what happened to a record when it was written.
type Damage uint32

// What can happen to a record; the rates of the same names say how often.
const (
	DamageRespelled Damage = 1 << iota
	DamageMistyped
	DamageSwapped
	DamageMiddleDropped
	DamageBorn
	DamageOwnForm
	DamageOtherSpelling
	DamageYearOnly
	DamageTitled
	DamageInitial
	DamageMotherDropped
	DamageFeminineLost
	DamageFilled
	DamageToneDropped
	DamageMarksDropped
	DamageDecomposed
)

// Has reports whether all of what is asked for happened.
func (d Damage) Has(asked Damage) bool { return d&asked == asked }
