package world

import "fmt"

// Culture is a way of forming and writing names.
type Culture string

// The cultures. A file of data bears each one's name.
const (
	Arabic        Culture = "arabic"
	Persian       Culture = "persian" // with Dari
	Slavic        Culture = "slavic"  // Russian, Ukrainian, Belarusian
	Thai          Culture = "thai"
	Khmer         Culture = "khmer"
	Vietnamese    Culture = "vietnamese"
	Burmese       Culture = "burmese"
	Bengali       Culture = "bengali"
	Hindi         Culture = "hindi" // with Nepali
	Urdu          Culture = "urdu"
	Tamil         Culture = "tamil"
	Somali        Culture = "somali"
	Ethiopian     Culture = "ethiopian" // with Eritrean
	Chinese       Culture = "chinese"
	WestAfrican   Culture = "westafrican"
	European      Culture = "european"
	LatinAmerican Culture = "latinamerican"
	Indonesian    Culture = "indonesian" // with Malay
)

// origin is a country of a culture, with its manner of spelling and its share in percent.
type origin struct {
	code   string // ISO 3166-1 alpha-2
	column int
	share  int
}

// custom is what a culture's names are like.
type custom struct {
	name    Culture
	share   int    // of all persons, in percent
	script  string // of the own form, as in unicode.Scripts; empty if there is none
	gap     string // between the words of the own form
	titles  Rate
	initial Rate // of middle and father's names
	origins []origin
	// compose draws a person's names in the usual order.
	compose func(*maker)
	// joins weighs how two given names stand: apart, as one word, with a hyphen.
	joins []int
}

// customs returns all cultures, always in the same order.
func customs() []custom {
	apart := []int{80, 10, 10}
	return []custom{
		{Arabic, 8, "Arabic", " ", Titled, Initial, []origin{{"SY", 0, 20}, {"IQ", 0, 25}, {"EG", 0, 20}, {"YE", 0, 15}, {"MA", 1, 10}, {"DZ", 1, 10}}, arabicName, apart},
		{Persian, 6, "Arabic", " ", Titled, Initial, []origin{{"IR", 0, 45}, {"AF", 1, 55}}, persianName, apart},
		{Slavic, 6, "Cyrillic", " ", Titled, Initial, []origin{{"RU", 0, 55}, {"UA", 1, 30}, {"BY", 2, 15}}, slavicName, apart},
		{Thai, 6, "Thai", " ", Titled, Initial, []origin{{"TH", 0, 100}}, familyLast, apart},
		{Khmer, 5, "Khmer", " ", Titled, Initial, []origin{{"KH", 0, 100}}, familyFirst, apart},
		{Vietnamese, 8, "Latin", " ", Titled, Initial, []origin{{"VN", 0, 100}}, vietnameseName, apart},
		{Burmese, 6, "Myanmar", "", BurmeseTitled, Initial, []origin{{"MM", 0, 100}}, burmeseName, []int{94, 4, 2}},
		{Bengali, 8, "Bengali", " ", Titled, Initial, []origin{{"BD", 0, 70}, {"IN", 0, 30}}, bengaliName, apart},
		{Hindi, 5, "Devanagari", " ", Titled, Initial, []origin{{"IN", 0, 65}, {"NP", 0, 35}}, hindiName, apart},
		{Urdu, 5, "Arabic", " ", Titled, Initial, []origin{{"PK", 0, 100}}, urduName, apart},
		{Tamil, 4, "Tamil", " ", Titled, TamilInitial, []origin{{"IN", 0, 40}, {"LK", 1, 40}, {"MY", 2, 20}}, fatherLast, apart},
		{Somali, 4, "Latin", " ", Titled, Initial, []origin{{"SO", 0, 100}}, somaliName, apart},
		{Ethiopian, 4, "Ethiopic", " ", Titled, Initial, []origin{{"ET", 0, 60}, {"ER", 0, 40}}, ethiopianName, apart},
		{Chinese, 8, "Han", "", Titled, Initial, []origin{{"CN", 0, 50}, {"TW", 1, 15}, {"HK", 2, 15}, {"MY", 3, 20}}, chineseName, []int{35, 45, 20}},
		{WestAfrican, 5, "", " ", Titled, Initial, []origin{{"SN", 0, 20}, {"ML", 0, 20}, {"GM", 1, 20}, {"NG", 0, 25}, {"GH", 0, 15}}, westAfricanName, apart},
		{European, 3, "", " ", Titled, Initial, []origin{{"DE", 0, 20}, {"FR", 0, 20}, {"PL", 0, 20}, {"GB", 0, 20}, {"TR", 0, 20}}, europeanName, apart},
		{LatinAmerican, 3, "", " ", Titled, Initial, []origin{{"CO", 0, 40}, {"VE", 0, 30}, {"BR", 0, 30}}, latinAmericanName, apart},
		{Indonesian, 6, "", " ", Titled, Initial, []origin{{"ID", 0, 65}, {"MY", 0, 35}}, indonesianName, apart},
	}
}

// Cultures returns all cultures, always in the same order.
func Cultures() []Culture {
	var names []Culture
	for _, c := range customs() {
		names = append(names, c.name)
	}
	return names
}

// Script returns the script of the culture's own form, by its name in unicode.Scripts, and
// whether it has an own form beside the spellings of its documents.
func (c Culture) Script() (string, bool) {
	for _, k := range customs() {
		if k.name == c {
			return k.script, k.script != ""
		}
	}
	return "", false
}

// tradition is a culture with its names.
type tradition struct {
	custom
	stock *stock
}

// traditions reads all cultures.
func traditions() ([]tradition, error) {
	var all []tradition
	for _, c := range customs() {
		s, err := readStock(c.name)
		if err != nil {
			return nil, err
		}
		for _, o := range c.origins {
			for _, female := range []bool{false, true} {
				if len(s.pool("given", female, o.code)) == 0 {
					return nil, fmt.Errorf("read names: %s has no given names for %s", c.name, o.code)
				}
			}
		}
		all = append(all, tradition{c, s})
	}
	return all, nil
}
