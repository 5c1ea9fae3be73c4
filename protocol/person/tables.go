package person

import (
	"embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

//go:embed tables/*.txt
var tableFiles embed.FS

// scripts are the files of tables that turn letters into Latin ones. No two of them have a
// rule that begins with the same character.
var scripts = [...]string{
	"latin", "cyrillic", "arabic", "letters", "indic", "dravidian", "burmese", "khmer", "thai", "lao", "ethiopic", "kana",
}

// wordKind says what a word beside a name is.
type wordKind byte

const (
	nameWord wordKind = iota
	articleWord
	assimilatedWord
	particleWord
	relationWord
	titleWord
	prefixWord
	weakWord
)

// compoundPart is a name, or a word that is none, that others are written together with.
type compoundPart struct {
	part string
	read string // empty for a part that is left out
	rest int    // least letters behind a first part
}

// tableSet is all tables, read once and never changed.
type tableSet struct {
	letters   map[rune][]rule
	sound     [128][]rule
	han       map[rune]string
	surname   map[rune]string   // characters that are read otherwise as a surname
	syllable  map[string]bool   // pinyin syllables; true for those that are surnames
	irregular map[string]string // written form to the form that it is read as
	words     map[string]wordKind
	somali    []string // beginnings of words that show Somali spelling

	firstParts, lastParts []compoundPart

	months map[string]int

	relations *strings.Replacer // s/o and its like, written out
	dividers  *strings.Replacer // what stands between two names of one cell
	eras      *strings.Replacer // names of eras with points in them, and signs for "about"
	common    map[string]byte   // form to bits of weight, for forms that many people share
}

// tables reads the embedded files. They are part of the program: a fault in them is a
// defect that every test meets, and nothing from outside reaches this.
var tables = sync.OnceValue(func() *tableSet {
	t, err := loadTables()
	if err != nil {
		panic("person: " + err.Error())
	}
	return t
})

func loadTables() (*tableSet, error) {
	t := &tableSet{
		letters: map[rune][]rule{}, han: map[rune]string{}, surname: map[rune]string{}, syllable: map[string]bool{},
		irregular: map[string]string{}, words: map[string]wordKind{}, common: map[string]byte{}, months: map[string]int{},
		relations: strings.NewReplacer("s/o", " bin ", "d/o", " binti ", "w/o", " ", "a/l", " bin ", "a/p", " binti "),
		dividers: strings.NewReplacer("a.k.a.", "|", "a.k.a", "|", " aka ", "|", " alias ", "|", " née ", "|",
			"(", "|", ")", "|", "[", "|", "]", "|", "/", "|", "@", "|", ";", "|", "\n", "|"),
		eras: strings.NewReplacer("พ.ศ.", " buddhistera ", "ค.ศ.", " commonera ", "b.e.", " buddhistera ", "c.e.", " commonera ",
			"a.d.", " commonera ", "a.h.", " hijriera ", "~", " circa ", "?", " circa ", "-", " "),
	}
	for _, name := range scripts {
		if err := t.loadScript(name); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
	}
	steps := []struct {
		name string
		add  func(left, right string) error
	}{
		{"han", t.addHan}, {"surnames", t.addSurname}, {"irregular", t.addIrregular}, {"words", t.addWords}, {"compounds", t.addCompound}, {"months", t.addMonth},
	}
	for _, s := range steps {
		if err := eachPair(s.name, s.add); err != nil {
			return nil, fmt.Errorf("table %s: %w", s.name, err)
		}
	}
	if err := t.loadSound(); err != nil {
		return nil, err
	}
	return t, eachPair("common", t.addCommon)
}

func readTable(name string) (string, error) {
	b, err := tableFiles.ReadFile("tables/" + name + ".txt")
	return string(b), err
}

// eachPair calls add with both columns of every line that is no comment.
func eachPair(name string, add func(left, right string) error) error {
	text, err := readTable(name)
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		left, right, ok := strings.Cut(line, "\t")
		if !ok || left == "" || right == "" {
			return fmt.Errorf("line %q has not two columns", line)
		}
		if err := add(left, right); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableSet) loadScript(name string) error {
	text, err := readTable(name)
	if err != nil {
		return err
	}
	s, err := parseRules(text)
	if err != nil {
		return err
	}
	for first, rules := range s.rules {
		if _, taken := t.letters[first]; taken {
			return fmt.Errorf("%U stands in two tables", first)
		}
		t.letters[first] = rules
	}
	return nil
}

func (t *tableSet) loadSound() error {
	text, err := readTable("sound")
	if err != nil {
		return err
	}
	s, err := parseRules(text)
	if err != nil {
		return fmt.Errorf("table sound: %w", err)
	}
	for first, rules := range s.rules {
		if first < 'a' || first > 'z' {
			return fmt.Errorf("table sound: %q is no letter", first)
		}
		t.sound[first] = rules
	}
	return nil
}

func (t *tableSet) addHan(reading, characters string) error {
	for _, r := range characters {
		t.han[r] = reading
	}
	t.syllable[reading] = false
	return nil
}

func (t *tableSet) addSurname(character, reading string) error {
	if character == "*" {
		t.syllable[reading] = true
		return nil
	}
	r, width := utf8.DecodeRuneInString(character)
	if width != len(character) {
		return fmt.Errorf("%s is not one character", character)
	}
	t.surname[r] = reading
	return nil
}

func (t *tableSet) addIrregular(form, reading string) error {
	form = squeeze(form)
	if _, twice := t.irregular[form]; twice {
		return fmt.Errorf("%s stands twice", form)
	}
	t.irregular[form] = reading
	return nil
}

func (t *tableSet) addWords(kind, words string) error {
	if kind == "somali" {
		t.somali = strings.Fields(words)
		return nil
	}
	kinds := map[string]wordKind{
		"article": articleWord, "assimilated": assimilatedWord, "particle": particleWord, "relation": relationWord,
		"title": titleWord, "prefix": prefixWord, "weak": weakWord,
	}
	k, ok := kinds[kind]
	if !ok {
		return fmt.Errorf("kind %s is not known", kind)
	}
	for w := range strings.FieldsSeq(words) {
		w = squeeze(w)
		if _, twice := t.words[w]; twice {
			return fmt.Errorf("%s stands twice", w)
		}
		t.words[w] = k
	}
	return nil
}

func (t *tableSet) addCompound(part, read string) error {
	if last, ok := strings.CutPrefix(part, "+"); ok {
		t.lastParts = append(t.lastParts, compoundPart{part: last, read: read})
		return nil
	}
	first, ok := strings.CutSuffix(part, "+")
	read, rest, two := strings.Cut(read, " ")
	n, err := strconv.Atoi(rest)
	if !ok || !two || err != nil || n < 1 {
		return fmt.Errorf("part %q has no least number of letters", part)
	}
	if read == "-" {
		read = ""
	}
	t.firstParts = append(t.firstParts, compoundPart{first, read, n})
	return nil
}

func (t *tableSet) addCommon(bits, forms string) error {
	if len(bits) != 1 || bits[0] < '1' || bits[0] > '9' {
		return fmt.Errorf("bits %q", bits)
	}
	for f := range strings.FieldsSeq(forms) {
		s := skeletonOf(t.soundOf(squeeze(t.read(f))))
		if _, twice := t.common[s]; !twice {
			t.common[s] = bits[0] - '0'
		}
	}
	return nil
}

func (t *tableSet) addMonth(number, names string) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 12 {
		return fmt.Errorf("month %q", number)
	}
	for w := range strings.FieldsSeq(names) {
		if _, twice := t.months[w]; twice {
			return fmt.Errorf("%s stands twice", w)
		}
		t.months[w] = n
	}
	return nil
}

// read returns the form that a word is read as.
func (t *tableSet) read(form string) string {
	if r, ok := t.irregular[squeeze(form)]; ok {
		return r
	}
	return form
}
