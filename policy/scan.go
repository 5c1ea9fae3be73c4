package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one lexical element of rule text with its place. The scanner exists
// beside Cedar's own because Cedar keeps the place of a rule only, not of its
// parts, and puts no bound on nesting.
type token struct {
	text         string // identifiers and numbers as written, strings with their quotes
	line, column int
	offset       int
}

// scan splits rule text into tokens without comments. It is more permissive than
// Cedar's parser, which has the last word on every byte.
func scan(src string) []token {
	var out []token
	line, column := 1, 1
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRuneInString(src[i:])
		switch {
		case r == '\n':
			line, column = line+1, 0
		case unicode.IsSpace(r):
		case strings.HasPrefix(src[i:], "//"):
			n = len(src) - i
			if end := strings.IndexByte(src[i:], '\n'); end >= 0 {
				n = end
			}
		default:
			n = tokenLength(src[i:], r, n)
			out = append(out, token{text: src[i : i+n], line: line, column: column, offset: i})
		}
		column += utf8.RuneCountInString(src[i : i+n])
		i += n
	}
	return out
}

// tokenLength measures the token at the beginning of s, whose first rune has n bytes.
func tokenLength(s string, r rune, n int) int {
	switch {
	case r == '"':
		return stringLength(s)
	case isWord(r):
		end := strings.IndexFunc(s, func(r rune) bool { return !isWord(r) })
		if end < 0 {
			return len(s)
		}
		return end
	case strings.HasPrefix(s, "::"):
		return 2
	}
	return n
}

// stringLength ends a string at its quote, or at the end of the line, since Cedar
// refuses it there.
func stringLength(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n':
			return i
		}
	}
	return len(s)
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// checkText refuses what could crash, stall or mislead: bytes that are not UTF-8,
// invisible characters, deep nesting, endless rules. tokens are those of src.
func checkText(name, src string, tokens []token) []Finding {
	fault := func(t token, text, remedy string) []Finding {
		return []Finding{{File: name, Line: t.line, Column: t.column, Severity: Error, Text: text, Remedy: remedy}}
	}
	if len(src) > maxFileBytes {
		return fault(token{}, fmt.Sprintf("is larger than %d KiB", maxFileBytes>>10), "Split it into several files.")
	}
	if !utf8.ValidString(src) {
		return fault(token{}, "is not UTF-8", "Save it as UTF-8.")
	}
	if at := strings.IndexFunc(src, hidden); at >= 0 {
		before := src[:at]
		line := strings.Count(before, "\n") + 1
		column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
		return fault(token{line: line, column: column}, "has an invisible character", "Type the line again.")
	}
	nesting, first, chain := 0, 0, 0
	for i, t := range tokens {
		if t.text == "." {
			chain++
		} else if i == 0 || tokens[i-1].text != "." {
			chain = 0
		}
		if chain > maxChain {
			return fault(t, fmt.Sprintf("has more than %d dots in one name", maxChain), "No field is that deep.")
		}
		if i-first >= maxTokens {
			return fault(t, fmt.Sprintf("has a rule of more than %d words and signs", maxTokens), "Split the rule.")
		}
		switch t.text {
		case "(", "[", "{":
			nesting++
		case ")", "]", "}":
			nesting--
		case ";":
			nesting, first = 0, i+1
		}
		if nesting > maxNesting {
			return fault(t, fmt.Sprintf("has more than %d brackets inside each other", maxNesting), "Split the rule.")
		}
	}
	return nil
}

// hidden reports characters that an editor does not show, among them those that
// turn the direction of text around.
func hidden(r rune) bool {
	return r != '\n' && r != '\t' && r != '\r' && !unicode.IsPrint(r)
}

// span returns the tokens of the rule that begins at the offset.
func span(tokens []token, offset int) []token {
	from := slices.IndexFunc(tokens, func(t token) bool { return t.offset >= offset })
	if from < 0 {
		return nil
	}
	tokens = tokens[from:]
	if end := slices.IndexFunc(tokens, func(t token) bool { return t.text == ";" }); end >= 0 {
		tokens = tokens[:end]
	}
	return tokens
}

// find returns the place of the first run of tokens with these texts.
func find(tokens []token, texts ...string) (token, bool) {
	for i := range tokens {
		if len(tokens)-i < len(texts) {
			break
		}
		if slices.EqualFunc(tokens[i:i+len(texts)], texts, func(t token, s string) bool { return t.text == s }) {
			return tokens[i], true
		}
	}
	return token{}, false
}
