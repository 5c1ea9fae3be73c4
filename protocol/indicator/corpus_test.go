package indicator

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"entente/protocol/person"
	"entente/protocol/vectors"
)

// update rewrites the recorded outputs. It refuses to change the output of a version that
// is on record: raise the version first.
var update = flag.Bool("update", false, "record the corpus output of new versions and new rows")

// row is one line of testdata/KIND.tsv.
type row struct {
	name     string // name of the published vector, empty for most rows
	raw      string
	defaults string // such as "country=AU platform=line"
	output
}

// output is what a version makes of a row.
type output struct{ canonical, hex, result string }

func (r row) input() string { return quoteJSON(r.raw) + "\t" + r.defaults }

func quoteJSON(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

func defaultsOf(t testing.TB, s string) Defaults {
	t.Helper()
	var d Defaults
	for f := range strings.FieldsSeq(s) {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "country":
			d.Country = value
		case "platform":
			d.Platform = value
		case "issuer":
			d.Issuer = value
		case "scheme":
			d.Scheme = value
		case "provider":
			d.ProviderRules = value == "on"
		case "calendar":
			d.Calendar = person.Calendar(value)
		case "order":
			d.Order = person.Order(value)
		case "model":
			d.Model = value
		default:
			t.Fatalf("unknown default %q", f)
		}
	}
	return d
}

func corpusPath(k Kind) string { return filepath.Join("testdata", string(k)+".tsv") }

func loadCorpus(t testing.TB, k Kind) []row {
	t.Helper()
	b, err := os.ReadFile(corpusPath(k))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 6 {
			t.Fatalf("%s: a row has %d columns", k, len(f))
		}
		r := row{name: f[0], defaults: f[2], output: output{f[3], f[4], f[5]}}
		if err := json.Unmarshal([]byte(f[1]), &r.raw); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

func (r row) compute(t testing.TB, k Kind) output {
	t.Helper()
	v, changes, err := Parse(k, r.raw, defaultsOf(t, r.defaults))
	if err != nil {
		rejection, ok := errors.AsType[*Rejection](err)
		if !ok {
			t.Fatalf("%s: error of type %T", k, err)
		}
		return output{result: "!" + string(rejection.Reason)}
	}
	var codes []string
	for _, c := range changes {
		codes = append(codes, c.Code)
	}
	return output{v.Canonical(), hex.EncodeToString(v.Element()), strings.Join(codes, ",")}
}

// digest is over inputs and outputs of the whole corpus.
func digest(rows []row) string {
	h := sha256.New()
	for _, r := range rows {
		fmt.Fprintf(h, "%s\t%s\t%s\t%s\n", r.input(), r.canonical, r.hex, r.result)
	}
	return hex.EncodeToString(h.Sum(nil))
}

const versionsPath = "testdata/versions.json"

// loadVersions returns the digests on record: kind, version, digest of its corpus output.
func loadVersions(t testing.TB) map[Kind]map[string]string {
	t.Helper()
	b, err := os.ReadFile(versionsPath)
	if err != nil {
		t.Fatal(err)
	}
	var m map[Kind]map[string]string
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCorpus(t *testing.T) {
	for _, k := range Kinds() {
		t.Run(string(k), func(t *testing.T) {
			rows := loadCorpus(t, k)
			if least := map[Kind]int{Phone: 60, Document: 60, Handle: 60}[k]; len(rows) < max(least, 30) {
				t.Errorf("the corpus has only %d rows", len(rows))
			}
			seen := map[string]bool{}
			for _, r := range rows {
				if seen[r.input()] {
					t.Errorf("the input %s stands twice", r.input())
				}
				seen[r.input()] = true
				if got := r.compute(t, k); got != r.output && !*update {
					t.Errorf("%s:\n got %+v\nwant %+v", r.input(), got, r.output)
				}
			}
		})
	}
}

// TestVersion fails when the output of a version changes: then the version must rise, so
// that partners notice. New rows alone are recorded under the same version.
func TestVersion(t *testing.T) {
	if *update {
		record(t)
	}
	versions := loadVersions(t)
	for _, k := range Kinds() {
		rows := loadCorpus(t, k)
		for i := range rows {
			rows[i].output = rows[i].compute(t, k)
		}
		if want := versions[k][fmt.Sprint(k.Version())]; digest(rows) != want {
			t.Errorf("%s: the corpus output of version %d is not the one on record; raise the version", k, k.Version())
		}
	}
}

func record(t *testing.T) {
	versions := loadVersions(t)
	for _, k := range Kinds() {
		rows, version := loadCorpus(t, k), fmt.Sprint(k.Version())
		_, onRecord := versions[k][version]
		for i, r := range rows {
			got := r.compute(t, k)
			if fresh := r.output == (output{}); onRecord && !fresh && got != r.output {
				t.Fatalf("%s: version %s on record gives another output for %s; raise the version", k, version, r.input())
			}
			rows[i].output = got
		}
		saveCorpus(t, k, rows)
		if versions[k] == nil {
			versions[k] = map[string]string{}
		}
		versions[k][version] = digest(rows)
	}
	writeJSON(t, versionsPath, versions)
	writeJSON(t, "../vectors/indicator.json", published(t))
}

func saveCorpus(t *testing.T, k Kind, rows []row) {
	var b strings.Builder
	b.WriteString("# vector\traw (JSON string)\tdefaults\tcanonical\thex\tchanges or !reason\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\n", r.name, r.input(), r.canonical, r.hex, r.result)
	}
	if err := os.WriteFile(corpusPath(k), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
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

// published collects the named rows, and elements that Restore must refuse.
func published(t *testing.T) []vectors.Vector {
	var vs []vectors.Vector
	for _, k := range Kinds() {
		for _, r := range loadCorpus(t, k) {
			if r.name == "" {
				continue
			}
			v := vectors.Vector{Name: r.name, Valid: true, Hex: r.hex, Input: map[string]string{"kind": string(k), "raw": r.raw}}
			for f := range strings.FieldsSeq(r.defaults) {
				key, value, _ := strings.Cut(f, "=")
				v.Input[key] = value
			}
			if reason, bad := strings.CutPrefix(r.result, "!"); bad {
				v.Valid, v.Fault = false, reason
			} else {
				v.Input["canonical"], v.Input["changes"] = r.canonical, r.result
			}
			vs = append(vs, v)
		}
	}
	for _, e := range badElements() {
		vs = append(vs, vectors.Vector{
			Name: e.name, Fault: string(ReasonNotCanonical), Hex: hex.EncodeToString([]byte(e.element)),
			Input: map[string]string{"kind": string(e.kind)},
		})
	}
	return vs
}

// plainFace is a vector of 64 coordinates that go 16, 15, 17, in base64.
func plainFace() string { return strings.Repeat("EA8R", 21) + "EA" }

// badElement is bytes that look like an element and are not canonical.
type badElement struct {
	name    string
	kind    Kind
	element string
}

func badElements() []badElement {
	return []badElement{
		{"element-empty", Phone, ""},
		{"element-form-only", Phone, "\x01"},
		{"element-form-zero", Phone, "\x00+61491570006"},
		{"element-form-unknown", Phone, "\x03+61491570006"},
		{"phone-element-no-plus", Phone, "\x0161491570006"},
		{"phone-element-trunk-zero", Phone, "\x01+610491570006"},
		{"phone-element-space", Phone, "\x01+61 491570006"},
		{"phone-element-observed", Phone, "\x02+61491570006"},
		{"phone-element-stop", Phone, "\x01+61131114"},
		{"phone-element-extension", Phone, "\x01+61255501234x42"},
		{"document-element-alpha-2", Document, "\x01AU:N1230123"},
		{"document-element-deu", Document, "\x01DEU:C01X00T47"},
		{"document-element-lower", Document, "\x01AUS:n1230123"},
		{"document-element-digit", Document, "\x01AUS:N1230123:9"},
		{"document-element-observed-fits", Document, "\x02AUS:N1230123:" + string(zoneDigit("N1230123"))},
		{"document-element-observed-bare", Document, "\x02AUS:N1230123"},
		{"handle-element-at", Handle, "\x01telegram:name:@river_trader"},
		{"handle-element-case", Handle, "\x01telegram:name:River_Trader"},
		{"handle-element-alias", Handle, "\x01twitter:name:river_trader"},
		{"handle-element-sort", Handle, "\x01telegram:user:river_trader"},
		{"email-element-case", Email, "\x01River@example.org"},
		{"email-element-unicode-domain", Email, "\x01river@bücher.example"},
		{"account-element-iban-spaces", Account, "\x01iban:GB29 NWBK 6016 1331 9268 19"},
		{"account-element-iban-digits", Account, "\x01iban:GB28NWBK60161331926819"},
		{"account-element-iban-observed-fits", Account, "\x02iban:GB29NWBK60161331926819"},
		{"account-element-bare", Account, "\x01GB29NWBK60161331926819"},
		{"wallet-element-case", Wallet, "\x01ethereum:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"},
		{"wallet-element-chain", Wallet, "\x01btc:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"},
		{"domain-element-case", Domain, "\x01Example.org"},
		{"domain-element-dot", Domain, "\x01example.org."},
		{"person-element-case", Person, "\x011990-05-17|Omar Khalid"},
		{"person-element-date", Person, "\x0117.05.1990|omar khalid"},
		{"person-element-order", Person, "\x011990|omar|khalid|ali"},
		{"person-element-observed", Person, "\x021990-05-17|omar khalid"},
		{"face-element-observed", Face, "\x02net-1/64:" + plainFace()},
		{"face-element-case", Face, "\x01Net-1/64:" + plainFace()},
		{"face-element-dimension", Face, "\x01net-1/064:" + plainFace()},
		{"face-element-size", Face, "\x01net-1/72:" + plainFace()},
		{"face-element-padding", Face, "\x01net-1/64:" + plainFace() + "=="},
		{"face-element-trailing-bits", Face, "\x01net-1/64:" + strings.TrimSuffix(plainFace(), "A") + "B"},
		{"face-element-numbers", Face, "\x01" + numberList(rand.New(rand.NewPCG(1, 1)), 64)},
		{"face-element-short", Face, "\x01net-1/64:" + base64.RawURLEncoding.EncodeToString(append(make([]byte, 62), 100, 50))},
		{"face-element-low", Face, "\x01net-1/64:" + base64.RawURLEncoding.EncodeToString(append(make([]byte, 62), 0x80, 1))},
	}
}

func TestVectors(t *testing.T) {
	vs, err := vectors.Load("indicator")
	if err != nil {
		t.Fatal(err)
	}
	if want := published(t); len(vs) != len(want) {
		t.Errorf("%d vectors are published, the corpus names %d", len(vs), len(want))
	}
	for _, v := range vs {
		t.Run(v.Name, func(t *testing.T) { runVector(t, v) })
	}
}

func runVector(t *testing.T, v vectors.Vector) {
	want, err := v.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	k := Kind(v.Input["kind"])
	raw, parses := v.Input["raw"]
	if !parses {
		wantReason(t, restoreError(k, want), v.Fault)
		return
	}
	d := Defaults{
		Country: v.Input["country"], Platform: v.Input["platform"], Issuer: v.Input["issuer"],
		Scheme: v.Input["scheme"], ProviderRules: v.Input["provider"] == "on",
		Calendar: person.Calendar(v.Input["calendar"]), Order: person.Order(v.Input["order"]), Model: v.Input["model"],
	}
	value, changes, err := Parse(k, raw, d)
	if !v.Valid {
		wantReason(t, err, v.Fault)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, c := range changes {
		codes = append(codes, c.Code)
	}
	if got := strings.Join(codes, ","); got != v.Input["changes"] || value.Canonical() != v.Input["canonical"] {
		t.Errorf("changes %s", got)
	}
	if !slices.Equal(value.Element(), want) {
		t.Errorf("element %x, want %x", value.Element(), want)
	}
	back, err := Restore(k, want)
	if err != nil || !back.Equal(value) {
		t.Errorf("restore: %v", err)
	}
}

func restoreError(k Kind, element []byte) error {
	_, err := Restore(k, element)
	return err
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	r, ok := errors.AsType[*Rejection](err)
	if !ok || string(r.Reason) != reason {
		t.Errorf("error %v, want reason %s", err, reason)
	}
}
