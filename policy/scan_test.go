package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for src, want := range map[string][]string{
		"":                   nil,
		" \t\r\n":            nil,
		"// only a comment":  nil,
		"a// b\nc":           {"a@1:1", "c@2:1"},
		"permit (principal,": {"permit@1:1", "(@1:8", "principal@1:9", ",@1:18"},
		`Kind::"a\"b" "c"`:   {"Kind@1:1", "::@1:5", `"a\"b"@1:7`, `"c"@1:14`},
		"\"open\nnext":       {"\"open@1:1", "next@2:1"},
		`"ends in \`:         {`"ends in \@1:1`},
		"@title(\"é\") x":    {"@@1:1", "title@1:2", "(@1:7", "\"é\"@1:8", ")@1:11", "x@1:13"},
		"a:b":                {"a@1:1", ":@1:2", "b@1:3"},
		"\n\n  x_1 == 25":    {"x_1@3:3", "=@3:7", "=@3:8", "25@3:10"},
		"/ /":                {"/@1:1", "/@1:3"},
		"\"// no comment\"":  {"\"// no comment\"@1:1"},
		"x \u00a0y":          {"x@1:1", "y@1:4"},
	} {
		var got []string
		for _, token := range scan(src) {
			got = append(got, fmt.Sprintf("%s@%d:%d", token.text, token.line, token.column))
			if src[token.offset:token.offset+len(token.text)] != token.text {
				t.Errorf("%q: token %q has offset %d", src, token.text, token.offset)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("scan(%q) = %q, want %q", src, got, want)
		}
	}
}

func TestSpanAndFind(t *testing.T) {
	src := "@title(\"a\") permit (principal, action, resource);\n@title(\"b;c\") forbid (principal, action, resource) when { Kind::\"x\" == Kind::\"y\" };"
	tokens := scan(src)
	second := span(tokens, strings.LastIndex(src, "@title"))
	if second[0].line != 2 || second[len(second)-1].text != "}" {
		t.Errorf("the second rule begins with %+v and ends with %+v", second[0], second[len(second)-1])
	}
	if at, ok := find(second, "Kind", "::", `"y"`); !ok || at.line != 2 || src[at.offset:at.offset+4] != "Kind" || at.column != 72 {
		t.Errorf("find = %+v, %v", at, ok)
	}
	if _, ok := find(second, "Kind", "::", `"z"`); ok {
		t.Error("found what is not there")
	}
	if _, ok := find(second[len(second)-1:], "}", ";"); ok {
		t.Error("found beyond the end")
	}
	if got := span(tokens, len(src)); got != nil {
		t.Errorf("a rule after the end: %v", got)
	}
	if got := span(scan("permit"), 0); len(got) != 1 {
		t.Errorf("an unfinished rule: %v", got)
	}
}

// TestLimitsAtTheirEdges: what is just within a limit loads.
func TestLimitsAtTheirEdges(t *testing.T) {
	nested := func(n int) string {
		return `@title("x") forbid (principal, action, resource) when { ` + strings.Repeat("(", n) + "true" + strings.Repeat(")", n) + " };"
	}
	load(t, nested(maxNesting-1)) // the braces are one level
	if fs := findings(t, files(nested(maxNesting))); !has(fs, 1, Error, "brackets") {
		t.Errorf("one level more: %v", fs)
	}
	rule := `@title("x") forbid (principal, action, resource) when { true`
	long := func(n int) string { return rule + strings.Repeat(" && true", n) + " };" }
	tokens := func(n int) int { return len(scan(long(n))) }
	n := 0
	for tokens(n+1) <= maxTokens {
		n++
	}
	load(t, long(n))
	if fs := findings(t, files(long(n+1))); !has(fs, 1, Error, "words and signs") {
		t.Errorf("one operand more: %v", fs)
	}
	chain := func(n int) string {
		return `@title("x") forbid (principal, action, resource) when { context has a` + strings.Repeat(".a", n) + " };"
	}
	load(t, chain(maxChain))
	if fs := findings(t, files(chain(maxChain+1))); !has(fs, 1, Error, "dots") {
		t.Errorf("one dot more: %v", fs)
	}
	load(t, `@title("x") forbid (principal, action, resource) when { `+strings.Repeat("context.items > 0 && ", 20)+"true };")
	pad := func(n int) string { return "//" + strings.Repeat("x", n-2) }
	load(t, pad(maxFileBytes))
	if fs := findings(t, files(pad(maxFileBytes+1))); !has(fs, 0, Error, "larger than") {
		t.Errorf("one byte more: %v", fs)
	}
}
