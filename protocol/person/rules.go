package person

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// edge stands for the beginning or end of a word in the contexts of rules.
const edge = '#'

// class is a set of characters. The edge may be a member.
type class struct {
	ascii [2]uint64
	more  map[rune]struct{}
}

func (c *class) add(r rune) {
	if r < 128 {
		c.ascii[r>>6] |= 1 << (r & 63)
		return
	}
	if c.more == nil {
		c.more = map[rune]struct{}{}
	}
	c.more[r] = struct{}{}
}

func (c *class) has(r rune) bool {
	if r < 128 {
		return c.ascii[r>>6]>>(r&63)&1 == 1
	}
	_, ok := c.more[r]
	return ok
}

// rule rewrites one pattern. A nil context fits everything.
type rule struct {
	rest        string // what must follow the first character of the pattern
	size        int    // bytes of the whole pattern
	out         string
	left, right *class
	last        rune // last character of the pattern, for the inherent vowel
	set         *ruleSet
}

// ruleSet is one table file: its rules and what goes with all of them.
type ruleSet struct {
	classes   map[string]*class
	rules     map[rune][]rule
	inherent  string   // vowel that a consonant of class I, or else C, has unless one of class S follows
	carries   *class   // that class I or C
	suppress  *class   // class S
	keepFinal bool     // the inherent vowel is also written at the end of a word
	reorder   *class   // vowels written before the consonant that they follow
	silence   rune     // mark that silences the letter before it
	omit      []string // letters that are silent together
	between   *class   // vowels that may stand between that letter and the mark
}

// parseRules reads a table file. Its lines are
//
//	# comment
//	class NAME = characters
//	inherent VOWEL keep|drop
//	reorder characters
//	silence MARK [characters]
//	omit words
//	pattern TAB output [TAB left [TAB right]]
//
// A context is a set in brackets, in which # is the edge of the word and @NAME a class,
// or one such member alone, or - for any.
func parseRules(text string) (*ruleSet, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("not UTF-8")
	}
	s := &ruleSet{classes: map[string]*class{}, rules: map[rune][]rule{}}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || (strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "#\t")) {
			continue
		}
		if err := s.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	s.carries, s.suppress = s.classes["C"], s.classes["S"]
	if c, ok := s.classes["I"]; ok {
		s.carries = c
	}
	if s.inherent != "" && (s.carries == nil || s.suppress == nil) {
		return nil, fmt.Errorf("an inherent vowel needs classes C and S")
	}
	return s, nil
}

func (s *ruleSet) line(line string) error {
	if command, rest, ok := strings.Cut(line, " "); ok && !strings.Contains(command, "\t") {
		return s.command(command, rest)
	}
	f := append(strings.Split(line, "\t"), "-", "-")
	if len(f) < 4 || len(f) > 6 || f[0] == "" {
		return fmt.Errorf("a rule has two to four columns")
	}
	left, err := s.class(f[2])
	if err != nil {
		return err
	}
	right, err := s.class(f[3])
	if err != nil {
		return err
	}
	first, width := utf8.DecodeRuneInString(f[0])
	last, _ := utf8.DecodeLastRuneInString(f[0])
	s.insert(first, rule{rest: f[0][width:], size: len(f[0]), out: f[1], left: left, right: right, last: last, set: s})
	return nil
}

func (s *ruleSet) command(command, rest string) (err error) {
	switch command {
	case "class":
		name, members, ok := strings.Cut(rest, " = ")
		if !ok {
			return fmt.Errorf("class without members")
		}
		s.classes[name], err = s.class("[" + members + "]")
	case "inherent":
		vowel, where, _ := strings.Cut(rest, " ")
		s.inherent, s.keepFinal = vowel, where == "keep"
	case "reorder":
		s.reorder, err = s.class("[" + rest + "]")
	case "silence":
		mark, between, _ := strings.Cut(rest, " ")
		s.silence, _ = utf8.DecodeRuneInString(mark)
		s.between, err = s.class("[" + between + "]")
	case "omit":
		s.omit = strings.Fields(rest)
	default:
		return fmt.Errorf("command %s is not known", command)
	}
	return err
}

// insert keeps the rules of one first character by falling length, in file order.
func (s *ruleSet) insert(first rune, r rule) {
	rs := s.rules[first]
	i := 0
	for i < len(rs) && rs[i].size >= r.size {
		i++
	}
	rs = append(rs, rule{})
	copy(rs[i+1:], rs[i:])
	rs[i] = r
	s.rules[first] = rs
}

func (s *ruleSet) class(text string) (*class, error) {
	if text == "-" || text == "" {
		return nil, nil
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	c := &class{}
	for i := 0; i < len(text); {
		r, width := utf8.DecodeRuneInString(text[i:])
		if r != '@' {
			c.add(r)
			i += width
			continue
		}
		named, ok := s.classes[text[i+1:min(i+2, len(text))]]
		if !ok {
			return nil, fmt.Errorf("a class is not known")
		}
		c.ascii[0] |= named.ascii[0]
		c.ascii[1] |= named.ascii[1]
		for m := range named.more {
			c.add(m)
		}
		i += 2
	}
	return c, nil
}

// match returns the first rule that fits at s[i:], where before is the character there
// and prev the one before it.
func match(rules []rule, s string, i, width int, prev rune) *rule {
	for k := range rules {
		r := &rules[k]
		if !strings.HasPrefix(s[i+width:], r.rest) || (r.left != nil && !r.left.has(prev)) {
			continue
		}
		if r.right != nil && !r.right.has(following(s, i+r.size)) {
			continue
		}
		return r
	}
	return nil
}

func following(s string, i int) rune {
	if i >= len(s) {
		return edge
	}
	if s[i] < utf8.RuneSelf {
		return rune(s[i])
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	return r
}
