// Package world draws invented name data with its truth: two lists of names and dates of
// birth, the pairs of records that are one person, and decoys that are near but are not. It
// measures matchers of names, and the simulation laboratory will populate lists from it.
//
// # What is drawn
//
// A person has a culture, a country, a sex, a date of birth and names: given names, middle
// names or a patronymic, the father's and grandfather's, family names, as the culture has
// them (compose.go). Each name is one of a group of spellings: the own script, and the Latin
// spellings that documents use (data/*.txt; stock.go has their format). Within a group and
// within a culture's names frequencies fall off as 1/rank or 1/(rank + 1), after Zipf. A
// record is one person's name and birth as one agency wrote them (write.go): a spelling is
// drawn for each name, then come the damages. rates.go is the table of all rates, which are
// harsh on purpose. All names are common ones, put together at random: no record is a real
// person's, though any of them may be some real person's name.
//
// # What a figure means
//
// Recall, precision and wrong hits on these sets are properties of this generator as much
// as of the matcher: compare matchers on them, and take no figure for what a matcher does on
// real lists. Frequencies, rates and the weights of spellings are estimates, not
// counts from documents. There are some 1,170 groups of
// names, far fewer than in life, so chance namesakes are more common. A culture's figures
// rest on few pairs: about 60 to 180 of 2,000.
//
// The sets of QualitySeed and RareSeed are frozen: a test holds their digests, and it and
// the data must not change once a matcher has been measured on them. A matcher is tuned on
// other seeds.
//
// # Sources of the spellings
//
// The first spelling of a group follows a standard where one is in use; the others follow
// other standards, older ones, or the custom of a country's registrars. They were put down
// by hand. In all scripts: the ALA-LC romanization tables and the systems of BGN/PCGN and
// UNGEGN; for what passports print, ICAO Doc 9303, part 3, section 6. Besides:
//
//   - Arabic: the French spellings of the Maghreb; assimilation of the article as in BGN/PCGN
//     (ash-Shami) beside ALA-LC, which keeps the l.
//   - Persian: BGN/PCGN for Iran; spellings after English for Dari.
//   - Slavic: ISO 9, the passports' GOST R 52535.1 and the tables of Doc 9303; for Ukrainian the
//     Cabinet's resolution 55 of 2010; French (Chevtchenko) and German (Kusnezow) tradition.
//   - Thai: the Royal Thai General System of Transcription, and the spellings after Sanskrit that
//     people choose for themselves.
//   - Khmer: UNGEGN's system; spellings after French.
//   - Burmese: BGN/PCGN; the Myanmar Language Commission's and customary spellings.
//   - Bengali, Hindi, Urdu, Tamil: ISO 15919 without its marks, Hunterian spelling, and the customs
//     of Sri Lanka and Malaysia for Tamil.
//   - Chinese: Hanyu Pinyin (ISO 7098), Wade–Giles, Jyutping as far as Hong Kong's older spellings
//     agree with it, Hokkien and Teochew spellings of Malaysia and Singapore.
//   - Vietnamese and Somali: the national orthographies, and the same without marks or in the
//     spelling of neighbours.
//   - Amharic and Tigrinya: BGN/PCGN; Italian spellings of Eritrea.
//   - Indonesian: the spellings before and after the reforms of 1947 and 1972.
//
// It promises no likeness to any list, no coverage of a culture, and nothing about
// languages that it lacks.
package world
