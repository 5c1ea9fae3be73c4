package person

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"entente/protocol/vectors"
)

// update rewrites the recorded outputs. It refuses to change the output of a version that
// is on record: raise the version first.
var update = flag.Bool("update", false, "record the corpus output of new versions and new rows")

const (
	corpusPath   = "testdata/person.tsv"
	versionsPath = "testdata/versions.json"
	vectorsPath  = "../vectors/person.json"
)

// row is one line of the corpus.
type row struct {
	vector        string // name of the published vector, empty for most rows
	name, variant string
	born          string
	defaults      Defaults
	output
}

// output is what a version makes of a row.
type output struct {
	canonical string
	words     string // skeletons of all names
	derived   string // beginning of the digest of keys and vectors
	result    string // codes of the changes, or ! and the reason
}

func quoteJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

func (r row) input() string {
	defaults := strings.TrimSpace(string(r.defaults.Calendar) + " " + string(r.defaults.Order))
	return strings.Join([]string{quoteJSON(r.name), quoteJSON(r.variant), quoteJSON(r.born), defaults}, "\t")
}

func loadCorpus(t testing.TB) []row {
	t.Helper()
	b, err := os.ReadFile(corpusPath)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 9 {
			t.Fatalf("a row has %d columns: %s", len(f), line)
		}
		r := row{vector: f[0], output: output{f[5], f[6], f[7], f[8]}}
		for i, s := range []*string{&r.name, &r.variant, &r.born} {
			if err := json.Unmarshal([]byte(f[1+i]), s); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
		for d := range strings.FieldsSeq(f[4]) {
			if o := Order(d); o == DayFirst || o == MonthFirst {
				r.defaults.Order = o
			} else {
				r.defaults.Calendar = Calendar(d)
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func (r row) parse() (Person, []Change, error) {
	return Parse(Fields{Name: r.name, Variants: []string{r.variant}, Born: r.born}, r.defaults)
}

func (r row) compute(t testing.TB) output {
	t.Helper()
	p, changes, err := r.parse()
	if err != nil {
		rejection, ok := errors.AsType[*Rejection](err)
		if !ok {
			t.Fatalf("error of type %T", err)
		}
		return output{result: "!" + string(rejection.Reason)}
	}
	return output{p.Canonical(), wordsText(p.Profile()), derivedDigest(p.Profile()), codes(changes)}
}

func codes(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Code)
	}
	return strings.Join(out, ",")
}

func wordsText(p Profile) string {
	var names []string
	for _, n := range p.names {
		var words []string
		for _, w := range n {
			words = append(words, w.skeleton)
		}
		names = append(names, strings.Join(words, " "))
	}
	return strings.Join(names, "|")
}

func derivedDigest(p Profile) string {
	h := sha256.New()
	for _, k := range p.Keys() {
		h.Write(append(k, '\n'))
	}
	for _, side := range []Side{Probe, Template} {
		for _, x := range p.Features(side) {
			h.Write([]byte{byte(x)})
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// digest is over inputs and outputs of the whole corpus.
func digest(rows []row) string {
	h := sha256.New()
	for _, r := range rows {
		fmt.Fprintf(h, "%s\t%s\t%s\t%s\t%s\n", r.input(), r.canonical, r.words, r.derived, r.result)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func loadVersions(t testing.TB) map[string]string {
	t.Helper()
	b, err := os.ReadFile(versionsPath)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCorpus(t *testing.T) {
	rows := loadCorpus(t)
	if len(rows) < 150 {
		t.Errorf("the corpus has only %d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, r := range rows {
		if seen[r.input()] {
			t.Errorf("the input %s stands twice", r.input())
		}
		seen[r.input()] = true
		if got := r.compute(t); got != r.output && !*update {
			t.Errorf("%s:\n got %+v\nwant %+v", r.input(), got, r.output)
		}
	}
}

// TestVersion fails when the output of a version changes: then the version must rise, so
// that partners notice. New rows alone are recorded under the same version.
func TestVersion(t *testing.T) {
	if *update {
		record(t)
	}
	rows := loadCorpus(t)
	for i := range rows {
		rows[i].output = rows[i].compute(t)
	}
	if want := loadVersions(t)[strconv.Itoa(int(Version))]; digest(rows) != want {
		t.Errorf("the corpus output of version %d is not the one on record; raise the version", Version)
	}
}

func record(t *testing.T) {
	versions, rows, version := loadVersions(t), loadCorpus(t), strconv.Itoa(int(Version))
	_, onRecord := versions[version]
	var b strings.Builder
	b.WriteString("# vector\tname\tvariant\tborn\tdefaults\tcanonical\tskeletons\tdigest of keys and vectors\tchanges or !reason\n")
	for i, r := range rows {
		got := r.compute(t)
		if fresh := r.output == (output{}); onRecord && !fresh && got != r.output {
			t.Fatalf("version %s on record gives another output for %s; raise the version", version, r.input())
		}
		rows[i].output = got
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", r.vector, r.input(), got.canonical, got.words, got.derived, got.result)
	}
	if err := os.WriteFile(corpusPath, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	versions[version] = digest(rows)
	writeJSON(t, versionsPath, versions)
	writeJSON(t, vectorsPath, published(t))
}

func writeJSON(t *testing.T, path string, v any) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// published turns the named rows into vectors: the element; and of those whose name begins
// with "match" also keys, vectors and the score against the first of them.
func published(t *testing.T) []vectors.Vector {
	var vs []vectors.Vector
	var first *Profile
	for _, r := range loadCorpus(t) {
		if r.vector == "" {
			continue
		}
		in := map[string]string{"name": r.name, "born": r.born}
		for k, s := range map[string]string{"variant": r.variant, "calendar": string(r.defaults.Calendar), "order": string(r.defaults.Order)} {
			if s != "" {
				in[k] = s
			}
		}
		if reason, bad := strings.CutPrefix(r.result, "!"); bad {
			vs = append(vs, vectors.Vector{Name: r.vector, Fault: reason, Input: in})
			continue
		}
		in["canonical"], in["skeletons"], in["changes"] = r.canonical, r.words, r.result
		vs = append(vs, vectors.Vector{Name: r.vector, Valid: true, Hex: hex.EncodeToString([]byte("\x01" + r.canonical)), Input: in})
		if !strings.HasPrefix(r.vector, "match") {
			continue
		}
		p, _, err := r.parse()
		if err != nil {
			t.Fatal(err)
		}
		profile := p.Profile()
		if first == nil {
			first = &profile
		}
		vs = append(vs, derivedVectors(r, profile, *first)...)
	}
	for _, e := range badElements() {
		vs = append(vs, vectors.Vector{Name: e.name, Fault: string(ReasonNotCanonical), Hex: hex.EncodeToString([]byte(e.element))})
	}
	return vs
}

func derivedVectors(r row, p, first Profile) []vectors.Vector {
	of := map[string]string{"canonical": r.canonical}
	var keys []string
	for _, k := range p.Keys() {
		keys = append(keys, string(k))
	}
	score := map[string]string{"canonical": r.canonical, "first": first.text, "score": strconv.Itoa(Score(first, p))}
	bytes := func(v *Vector) string {
		b := make([]byte, len(v))
		for i, x := range v {
			b[i] = byte(x)
		}
		return hex.EncodeToString(b)
	}
	return []vectors.Vector{
		{Name: r.vector + "-keys", Valid: true, Input: of, Hex: hex.EncodeToString([]byte(strings.Join(keys, "\n")))},
		{Name: r.vector + "-probe", Valid: true, Input: of, Hex: bytes(p.Features(Probe))},
		{Name: r.vector + "-template", Valid: true, Input: score, Hex: bytes(p.Features(Template))},
	}
}

// badElement is bytes that look like an element and are not canonical.
type badElement struct{ name, element string }

func badElements() []badElement {
	return []badElement{
		{"element-empty", ""},
		{"element-form-only", "\x01"},
		{"element-form-observed", "\x021990-05-17|omar khalid"},
		{"element-no-name", "\x011990-05-17|"},
		{"element-no-stroke", "\x011990-05-17"},
		{"element-case", "\x011990-05-17|Omar Khalid"},
		{"element-space", "\x011990-05-17|omar  khalid"},
		{"element-date-form", "\x0117.05.1990|omar khalid"},
		{"element-date-day", "\x011990-02-30|omar khalid"},
		{"element-decomposed", "\x011990-05-17|jose\u0301 garcia"},
		{"element-order", "\x011990-05-17|omar khalid|z a|b c"},
		{"element-twice", "\x011990-05-17|omar khalid|omar khalid"},
	}
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("person")
	if err != nil {
		t.Fatal(err)
	}
	want := published(t)
	if len(vs) != len(want) {
		t.Fatalf("%d vectors are published, the corpus names %d", len(vs), len(want))
	}
	for i, v := range vs {
		w := want[i]
		if v.Name != w.Name || v.Valid != w.Valid || v.Fault != w.Fault || v.Hex != w.Hex || len(v.Input) != len(w.Input) {
			t.Errorf("%s: published %+v, computed %+v", v.Name, v, w)
		}
		for k, s := range w.Input {
			if v.Input[k] != s {
				t.Errorf("%s: %s is %q, computed %q", v.Name, k, v.Input[k], s)
			}
		}
	}
	for _, e := range badElements() {
		_, err := Restore([]byte(e.element))
		if r, ok := errors.AsType[*Rejection](err); !ok || r.Reason != ReasonNotCanonical {
			t.Errorf("%s: %v", e.name, err)
		}
	}
	if !slices.ContainsFunc(vs, func(v vectors.Vector) bool { return v.Fault == string(ReasonAmbiguous) }) {
		t.Error("no vector shows a date that can be read two ways")
	}
}
