package world

import (
	"embed"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The names, one file for each culture. A section in brackets has one group of spellings a
// line; a group's rank in its section is its frequency.
//
//	[given male]           kind of name, then sex and origin where the section is limited
//	own: Latin Latin …     own script, then Latin spellings, the most usual first
//	own: Latin | own: …    one column for each country's manner of spelling
//
// In a name _ is a space, / parts a masculine from a feminine form, and al+ is the Arabic
// article. Without a colon there is no own form. Sections of spellings hold rules a>b: a may
// be written b; $ stands for the end of the word, and . before a for any place but its start.
//
//go:embed data/*.txt
var files embed.FS

// form is one spelling, of a man's name and a woman's; the second is empty if the same.
type form [2]string

func (f form) of(female bool) string {
	if female && f[1] != "" {
		return f[1]
	}
	return f[0]
}

// column is one country's manner of spelling a group.
type column struct {
	own   form
	latin []form
}

// group is one name in all its spellings.
type group struct{ columns []column }

// column returns a manner of spelling, the first one where a group does not differ.
func (g *group) column(i int) column {
	if i >= len(g.columns) {
		i = 0
	}
	return g.columns[i]
}

// rule says that a part of a word may be spelled otherwise.
type rule struct {
	from, to []rune
	end      bool // at the end of the word only
	inner    bool // not at its start
}

// stock is what one culture's file holds.
type stock struct {
	pools map[string][]*group // by the section's heading
	latin []rule
	own   []rule
}

// pool returns the groups of a kind: those for sex and origin, else for the origin, else for
// the sex, else for all.
func (s *stock) pool(kind string, female bool, origin string) []*group {
	sex := " male"
	if female {
		sex = " female"
	}
	for _, key := range []string{kind + sex + " " + origin, kind + " " + origin, kind + sex, kind} {
		if p := s.pools[key]; p != nil {
			return p
		}
	}
	return nil
}

// readStock reads a culture's file. An error is a mistake in the file.
func readStock(name Culture) (*stock, error) {
	b, err := files.ReadFile("data/" + string(name) + ".txt")
	if err != nil {
		return nil, fmt.Errorf("read names: %w", err)
	}
	s := &stock{pools: map[string][]*group{}}
	section := ""
	for i, line := range strings.Split(string(b), "\n") {
		switch {
		case line == "", strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			if s.pools[section] != nil {
				err = fmt.Errorf("section %q comes twice", section)
			}
		case section == "spelling":
			s.latin, err = readRules(line)
		case section == "own spelling":
			s.own, err = readRules(line)
		default:
			err = s.add(section, line)
		}
		if err != nil {
			return nil, fmt.Errorf("read names: %s, line %d: %w", name, i+1, err)
		}
	}
	return s, nil
}

func readRules(line string) ([]rule, error) {
	var rules []rule
	for word := range strings.FieldsSeq(line) {
		from, to, ok := strings.Cut(word, ">")
		from, end := strings.CutSuffix(from, "$")
		from, inner := strings.CutPrefix(from, ".")
		if !ok || from == "" {
			return nil, fmt.Errorf("%q is no rule", word)
		}
		rules = append(rules, rule{[]rune(from), []rune(to), end, inner})
	}
	return rules, nil
}

// add reads a group into a section.
func (s *stock) add(section, line string) error {
	if section == "" {
		return fmt.Errorf("%q stands before any section", line)
	}
	g := &group{}
	for part := range strings.SplitSeq(line, "|") {
		own, latin, colon := strings.Cut(part, ":")
		if !colon {
			own, latin = "", part
		}
		var c column
		var err error
		// Titles and particles have strokes of their own, such as a/l.
		whole := strings.HasPrefix(section, "title") || strings.HasPrefix(section, "particle")
		if c.own, err = readForm(strings.TrimSpace(own), whole); err != nil {
			return err
		}
		for word := range strings.FieldsSeq(latin) {
			f, err := readForm(strings.ReplaceAll(word, "_", " "), whole)
			if err != nil {
				return err
			}
			c.latin = append(c.latin, f)
		}
		if len(c.latin) == 0 {
			c.latin = []form{{bare(c.own[0]), bare(c.own[1])}}
		}
		if c.latin[0][0] == "" {
			return fmt.Errorf("%q has no Latin form", part)
		}
		g.columns = append(g.columns, c)
	}
	s.pools[section] = append(s.pools[section], g)
	return nil
}

func readForm(text string, whole bool) (form, error) {
	if !norm.NFC.IsNormalString(text) {
		return form{}, fmt.Errorf("%q is not in Unicode's NFC", text)
	}
	if whole {
		return form{text}, nil
	}
	man, woman, both := strings.Cut(text, "/")
	if both && (man == "" || woman == "" || strings.Contains(woman, "/")) {
		return form{}, fmt.Errorf("%q must have one masculine and one feminine form", text)
	}
	return form{man, woman}, nil
}

// bare returns a Latin text without diacritics: marks are taken off, and letters that
// Unicode does not decompose become those that ICAO Doc 9303 or custom puts for them.
func bare(text string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'đ', r == 'Đ', r == 'ł', r == 'Ł', r == 'ı', r == 'ß':
			b.WriteString(map[rune]string{'đ': "d", 'Đ': "D", 'ł': "l", 'Ł': "L", 'ı': "i", 'ß': "ss"}[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// toneless takes off the five tone marks of Vietnamese and leaves the marks of vowels.
func toneless(text string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(text) {
		if !strings.ContainsRune("\u0300\u0301\u0303\u0309\u0323", r) {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}
