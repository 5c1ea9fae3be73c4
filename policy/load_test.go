package policy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"crypto/sha256"
)

func dir(fs map[string][]byte) fstest.MapFS {
	out := fstest.MapFS{}
	for name, b := range fs {
		out[name] = &fstest.MapFile{Data: b, Mode: 0o600}
	}
	return out
}

// TestFindingsNameTheLine is one table over everything that keeps rules from loading.
func TestFindingsNameTheLine(t *testing.T) {
	ok := pass("ok", openAll)
	for name, c := range map[string]struct {
		rules string
		line  int
		text  string
	}{
		"syntax":                {ok + "permit (principal action, resource);", 4, "cannot be read"},
		"unknown effect":        {"\n\nallow (principal, action, resource);", 3, "cannot be read"},
		"not finished":          {"permit (principal, action, resource)", 1, "cannot be read"},
		"open string":           {"@title(\"abc\npermit (principal, action, resource);", 1, "literal not terminated"},
		"unknown field":         {pass("x", "permit (principal, action, resource) when { context.itemz > 1 };"), 1, "itemz"},
		"wrong type":            {pass("x", `permit (principal, action, resource) when { context.items == "5" };`), 1, "does not fit the schema"},
		"not a condition":       {pass("x", `permit (principal, action, resource) when { context.items };`), 1, "does not fit the schema"},
		"unknown action":        {pass("x", `permit (principal, action == Action::"read", resource);`), 3, `no Action "read"`},
		"unknown entity type":   {pass("x", `permit (principal == State::"ID", action, resource);`), 1, "does not fit the schema"},
		"unregistered member":   {pass("x", "permit (\n  principal == Member::\"MY\",\n action, resource);"), 4, `no Member "MY"`},
		"no title":              {"@legal_basis(\"AU-TIP\")\npermit (principal, action, resource);", 1, "no @title"},
		"empty title":           {"@title(\"\")\n@legal_basis(\"AU-TIP\")\npermit (principal, action, resource);", 1, "@title has a wrong value"},
		"same title":            {ok + ok, 4, "already that of rules#1"},
		"title of the baseline": {pass("Minors take no part in bulk matching", openAll), 1, "already that of baseline#2"},
		"title in two lines":    {pass("a\nb", openAll), 1, "@title has a wrong value"},
		"hidden in the title":   {"@title(\"a\\u{202e}b\")\n@legal_basis(\"AU-TIP\")\n" + openAll, 1, "@title has a wrong value"},
		"no basis":              {"@title(\"x\")\npermit (principal, action, resource);", 1, "no @legal_basis"},
		"unregistered basis":    {"@title(\"x\")\n@legal_basis(\"XX\")\npermit (principal, action, resource);", 2, "not registered"},
		"twice":                 {"@title(\"x\")\n@title(\"y\")\nforbid (principal, action, resource);", 2, "duplicate annotation"},
		"unknown annotation":    {pass("x", "\n@notify(\"me\")\n"+openAll), 4, "unknown annotation @notify"},
		"duty on forbid":        {"@title(\"x\")\n@min_items(\"64\")\nforbid (principal, action, resource);", 2, "no effect on a forbid"},
		"remedy on permit":      {pass("x", "@remedy(\"y\")\n"+openAll), 3, "no effect on a permit"},
		"approval":              {pass("x", "@approval(\"two\")\n"+openAll), 3, "@approval has a wrong value"},
		"no number":             {pass("x", "@min_items(\"many\")\n"+openAll), 3, "@min_items has a wrong value"},
		"leading zero":          {pass("x", "@min_items(\"064\")\n"+openAll), 3, "@min_items has a wrong value"},
		"zero items":            {pass("x", "@min_items(\"0\")\n"+openAll), 3, "@min_items has a wrong value"},
		"too many items":        {pass("x", "@min_items(\"268435457\")\n"+openAll), 3, "@min_items has a wrong value"},
		"no days":               {pass("x", "@retention_days(\"0\")\n"+openAll), 3, "@retention_days has a wrong value"},
		"too many days":         {pass("x", "@retention_days(\"3651\")\n"+openAll), 3, "@retention_days has a wrong value"},
		"negative epsilon":      {pass("x", "@epsilon_milli(\"-1\")\n"+openAll), 3, "@epsilon_milli has a wrong value"},
		"zero epsilon":          {pass("x", "@epsilon_milli(\"0\")\n"+openAll), 3, "@epsilon_milli has a wrong value"},
		"count too large":       {pass("x", "@min_count(\"1001\")\n"+openAll), 3, "@min_count has a wrong value"},
		"exact, but how":        {pass("x", "@exact_count(\"true\")\n"+openAll), 3, "@exact_count has a wrong value"},
		"exact and noisy":       {pass("x", "@exact_count(\"yes\")\n@epsilon_milli(\"1000\")\n"+openAll), 3, "no epsilon_milli"},
		"not UTF-8":             {"// \xff\n", 0, "not UTF-8"},
		"invisible":             {"\n// a\u202eb\n", 2, "invisible"},
		"null byte":             {"\n\n\x00", 3, "invisible"},
		"too deep":              {"permit (principal, action, resource) when {\n" + strings.Repeat("(", maxNesting), 2, "brackets inside each other"},
		"too long":              {ok + strings.Repeat("!", maxTokens+1), 4, "words and signs"},
		"too large":             {strings.Repeat("// comment\n", maxFileBytes/11+1), 0, "larger than 256 KiB"},
	} {
		fs := findings(t, files(c.rules))
		if !has(fs, c.line, Error, c.text) {
			t.Errorf("%s: findings %v, want line %d: %q", name, fs, c.line, c.text)
		}
		for _, f := range fs {
			if f.File == "" || f.Severity == Error && f.File != rulesFile && f.File != registerFile {
				t.Errorf("%s: finding without its file: %+v", name, f)
			}
		}
	}
}

func TestRegisterIsStrict(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"not TOML":           {"version = 1\nmembers = [\n", 2, ""},
		"unknown key":        {"version = 1\nmember = [\"ID\"]\n", 0, `unknown key "member"`},
		"unknown table":      {"version = 1\n[rules]\na = 1\n", 0, `unknown key "rules`},
		"no version":         {"members = []\n", 0, "version is missing"},
		"version zero":       {"version = 0\n", 0, "version is missing"},
		"negative version":   {"version = -1\n", 0, "not above 0"},
		"version as text":    {"version = \"1\"\n", 0, ""},
		"previous too short": {"version = 1\nprevious = \"abcd\"\n", 0, "previous is not"},
		"member with space":  {"version = 1\nmembers = [\"I D\"]\n", 0, `"I D" is not an identifier`},
		"member twice":       {"version = 1\nmembers = [\"ID\", \"ID\"]\n", 0, "listed twice"},
		"empty purpose":      {"version = 1\npurposes = [\"\"]\n", 0, "not an identifier"},
		"basis, no title":    {"version = 1\n[bases]\nA = \"\"\n", 0, "no readable title"},
		"basis, long title":  {"version = 1\n[bases]\nA = \"" + strings.Repeat("x", maxText+1) + "\"\n", 0, "no readable title"},
		"basis with quotes":  {"version = 1\n[bases]\n'a\"b' = \"t\"\n", 0, "not an identifier"},
		"key twice":          {"version = 1\nversion = 2\n", 2, ""},
		"not UTF-8":          {"version = 1 # \xff", 0, "not UTF-8"},
		"too large":          {"#" + strings.Repeat("x", maxFileBytes), 0, "too large"},
	} {
		fs := findings(t, map[string][]byte{registerFile: []byte(c.text)})
		if !has(fs, c.line, Error, c.want) && (c.line != 0 || !slices.ContainsFunc(fs, func(f Finding) bool { return strings.Contains(f.Text, c.want) })) {
			t.Errorf("%s: findings %v", name, fs)
		}
	}
	if fs := findings(t, map[string][]byte{}); !has(fs, 0, Error, "is missing") {
		t.Errorf("without a register: %v", fs)
	}
}

func TestDirectory(t *testing.T) {
	good := files(pass("ok", openAll))
	b, err := Load(dir(with(with(good, ".notes", "x"), "README.md", "x")))
	if err != nil || b.Version() != 7 || len(b.Files()) != 2 {
		t.Fatalf("Load = %v", err)
	}
	for _, name := range []string{"rules.ceder", "rules.cedar~", "notes.txt", "baseline.cedar", "x.cedar.x", "ümlaut.cedar", "a b.cedar", strings.Repeat("a", 64) + ".cedar", "sub/rules.cedar"} {
		_, err := Load(dir(with(good, name, "")))
		if _, ok := errors.AsType[*InvalidError](err); !ok {
			t.Errorf("a folder with %q loads: %v", name, err)
		}
	}
	many := good
	for i := range maxFiles + 1 {
		many = with(many, fmt.Sprintf("f%d.cedar", i), "")
	}
	if _, err := Load(dir(many)); err == nil {
		t.Error("any number of files is read")
	}
	if _, err := Load(os.DirFS(filepath.Join(t.TempDir(), "missing"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	if _, err := Check(os.DirFS(filepath.Join(t.TempDir(), "missing")), Known{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	link := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(link, "x.cedar")); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(os.DirFS(link)); err == nil {
		t.Error("a symbolic link is followed")
	}
}

func TestTooManyRules(t *testing.T) {
	var b strings.Builder
	for i := range maxRules {
		fmt.Fprintf(&b, "@title(\"%d\")forbid(principal,action,resource);\n", i)
	}
	if fs := findings(t, files(b.String())); !has(fs, 0, Error, "more than 2000 rules") {
		t.Errorf("findings %v", fs[:min(3, len(fs))])
	}
}

func TestDigest(t *testing.T) {
	a := load(t, pass("ok", openAll))
	if a.Digest() != load(t, pass("ok", openAll)).Digest() {
		t.Error("the digest differs for the same files")
	}
	// Moving bytes between names, contents and files must show.
	seen := map[[32]byte]string{a.Digest(): "first"}
	for name, fs := range map[string]map[string][]byte{
		"other comment":   files(pass("ok", openAll) + "//"),
		"other register":  with(files(pass("ok", openAll)), registerFile, testRegister+"#"),
		"one more file":   with(files(pass("ok", openAll)), "a.cedar", ""),
		"other name":      {registerFile: []byte(testRegister), "rules2.cedar": []byte(pass("ok", openAll))},
		"split one way":   with(files("//a\n"), "b.cedar", "//b\n"),
		"split the other": with(files("//a\n//b\n"), "b.cedar", ""),
	} {
		b, err := Parse(fs)
		if err != nil {
			t.Fatal(err)
		}
		if first, ok := seen[b.Digest()]; ok {
			t.Errorf("%s has the digest of %s", name, first)
		}
		seen[b.Digest()] = name
	}
	fs := map[string][]byte{registerFile: []byte("version = 1\n")}
	b, err := Parse(fs)
	if err != nil {
		t.Fatal(err)
	}
	const want = "3217fd0fcd5b4a605bd1d475c96a481f7b8bc53e746852fa4bbc4ec217c4f03c"
	raw := "\x00\x00\x00\x00\x00\x00\x00\x0fentente/rules/1" + "\x00\x00\x00\x00\x00\x00\x00\x0bbundle.toml" + "\x00\x00\x00\x00\x00\x00\x00\x0cversion = 1\n"
	if digest := b.Digest(); digest != sha256.Sum256([]byte(raw)) || hex.EncodeToString(digest[:]) != want {
		t.Errorf("digest %x, want %s", digest, want)
	}
}

func TestBundleIsImmutable(t *testing.T) {
	fs := files(pass("ok", openAll))
	b, err := Parse(fs)
	if err != nil {
		t.Fatal(err)
	}
	before := b.Digest()
	fs[rulesFile][0] = 'x'
	b.Files()[rulesFile][0] = 'x'
	delete(b.Files(), rulesFile)
	if w := b.Warnings(); len(w) > 0 {
		w[0].Text = "x"
	}
	if b.Digest() != before || strings.HasPrefix(b.Warnings()[0].Text, "x") {
		t.Error("a caller can change the bundle")
	}
	again, err := Parse(b.Files())
	if err != nil || again.Digest() != before {
		t.Errorf("the bundle's files do not give the bundle: %v", err)
	}
}

func TestPrevious(t *testing.T) {
	first := load(t, "").Digest()
	text := fmt.Sprintf("version = 8\nprevious = %q\n", hex.EncodeToString(first[:]))
	b, err := Parse(map[string][]byte{registerFile: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := b.Previous(); !ok || got != first {
		t.Errorf("Previous = %x, %v", got, ok)
	}
	if _, ok := load(t, "").Previous(); ok {
		t.Error("a bundle without previous names one")
	}
}

func TestCheck(t *testing.T) {
	rules := pass("too open", openAll) + "\n" + pass("fine", `permit (principal == Member::"ID", action, resource) when {
		resource.category == Category::"suspect" && resource.basis == Basis::"AU-TIP" && context.purpose == Purpose::"trafficking" &&
		context.items_today + context.items <= 10 };`)
	fs, err := Check(dir(files(rules)), Known{Self: "TH", Members: []string{"AU", "TH"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"every member", "every registered purpose", "every category", "every registered legal basis", "no limit a day"} {
		if !has(fs, 1, Warning, want) {
			t.Errorf("no warning %q", want)
		}
	}
	for _, want := range []string{`members: no rule uses "TH"`, `purposes: no rule uses "fraud"`, `bases: no rule uses "AU-FRAUD"`,
		`"TH" is this member itself`, `"ID" is not in the federation's roster`} {
		if !has(fs, 0, Warning, want) {
			t.Errorf("no warning %q", want)
		}
	}
	if len(fs) != 10 {
		t.Errorf("%d findings, want 10: %v", len(fs), fs)
	}
	if !slices.IsSortedFunc(fs, func(a, b Finding) int { return strings.Compare(a.File, b.File) }) {
		t.Error("findings are not sorted")
	}
	fs, err = Check(dir(files("permit")), Known{})
	if err != nil || !has(fs, 1, Error, "cannot be read") {
		t.Errorf("Check = %v, %v", fs, err)
	}
}

func TestInvalidErrorNamesTheFirst(t *testing.T) {
	e := &InvalidError{Findings: []Finding{
		{File: "a", Severity: Warning, Text: "w"}, {File: "a", Line: 1, Column: 2, Severity: Error, Text: "one", Remedy: "Do."},
		{File: "a", Line: 2, Severity: Error, Text: "two"}, {File: "a", Severity: Error, Text: "three"}, {File: "a", Severity: Error, Text: "four"}}}
	const want = "the rules are not valid: a:1:2: error: one. Do.; a:2: error: two; a: error: three; and 1 more"
	if e.Error() != want {
		t.Errorf("%q, want %q", e.Error(), want)
	}
}

func TestTokens(t *testing.T) {
	for s, want := range map[string]bool{"ID": true, "AU-TIP": true, "a.b_c-1": true, "9": true, "": false, "-a": false, ".a": false,
		"a b": false, "a\"b": false, "é": false, strings.Repeat("a", 64): true, strings.Repeat("a", 65): false} {
		if isToken(s) != want {
			t.Errorf("isToken(%q) = %v", s, !want)
		}
	}
	if got := plain("a\x1b[31m\u202e"+strings.Repeat("x", 20), 12); got != "a?[31m?xxx…" {
		t.Errorf("plain = %q", got)
	}
}
