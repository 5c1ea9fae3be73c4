package intake

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

func TestHeaderMapping(t *testing.T) {
	for name, c := range map[string]struct {
		header  string
		kind    indicator.Kind
		stated  map[string]string
		want    map[string]string
		ignored []string
	}{
		"own names": {"phone,country,category,expires", indicator.Phone, nil,
			map[string]string{"value": "phone", "country": "country", "category": "category", "expires": "expires"}, nil},
		"case and punctuation": {"PHONE_NO.;Source-Evaluation;case reference", indicator.Phone, nil,
			map[string]string{"value": "PHONE_NO.", "source_evaluation": "Source-Evaluation", "case_reference": "case reference"}, nil},
		"Indonesian":              {"Nama\tNomor HP\tKategori", indicator.Phone, nil, map[string]string{"value": "Nomor HP", "category": "Kategori"}, []string{"Nama"}},
		"Thai":                    {"ชื่อ,เบอร์โทรศัพท์", indicator.Phone, nil, map[string]string{"value": "เบอร์โทรศัพท์"}, []string{"ชื่อ"}},
		"Vietnamese, marks":       {"tên,so\u0302\u0301 điện thoại", indicator.Phone, nil, map[string]string{"value": "so\u0302\u0301 điện thoại"}, []string{"tên"}},
		"Chinese":                 {"姓名,电话号码", indicator.Phone, nil, map[string]string{"value": "电话号码"}, []string{"姓名"}},
		"strong before weak":      {"number,telephone", indicator.Phone, nil, map[string]string{"value": "telephone"}, []string{"number"}},
		"weak alone":              {"number,name", indicator.Phone, nil, map[string]string{"value": "number"}, []string{"name"}},
		"own name before another": {"mobile,phone", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"mobile"}},
		"stated":                  {"a,b,c", indicator.Phone, map[string]string{"value": "b", "never-with": "c"}, map[string]string{"value": "b", "never_with": "c"}, []string{"a"}},
		"stated by kind":          {"a,b", indicator.Phone, map[string]string{"phone": " B "}, map[string]string{"value": "b"}, []string{"a"}},
		"stated wins":             {"phone,mobile", indicator.Phone, map[string]string{"value": "mobile"}, map[string]string{"value": "mobile"}, []string{"phone"}},
		"stated exact":            {"Tel,tel", indicator.Phone, map[string]string{"value": "tel"}, map[string]string{"value": "tel"}, []string{"Tel"}},
		"document":                {"passport no,issuing country,country", indicator.Document, nil, map[string]string{"value": "passport no", "issuer": "issuing country"}, []string{"country"}},
		"handle":                  {"platform,user name", indicator.Handle, nil, map[string]string{"value": "user name", "platform": "platform"}, nil},
		"wallet":                  {"chain,address", indicator.Wallet, nil, map[string]string{"value": "address", "platform": "chain"}, nil},
		"account":                 {"account number,scheme", indicator.Account, nil, map[string]string{"value": "account number", "scheme": "scheme"}, nil},
		"email":                   {"E-Mail", indicator.Email, nil, map[string]string{"value": "E-Mail"}, nil},
		"domain":                  {"website", indicator.Domain, nil, map[string]string{"value": "website"}, nil},
		"separator by names":      {"phone;notes, remarks, and more", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"notes, remarks, and more"}},
		"quoted separators":       {"\"notes;a;b;c\",phone", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"notes;a;b;c"}},
		"blank lines before":      {"\n ; \nphone;name", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"name"}},
		"separator line":          {"sep=,\nphone,a;b;c", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"a;b;c"}},
		"tab separator line":      {"\"sep=\t\"\nphone\tname", indicator.Phone, nil, map[string]string{"value": "phone"}, []string{"name"}},
		"unnamed columns":         {"phone,,", indicator.Phone, nil, map[string]string{"value": "phone"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := Options{Kind: c.kind, Handling: indicator.Handling{Category: indicator.Suspect}, Columns: c.stated}
			r, err := importText(t, c.header+"\n", o, nil)
			if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != FaultEmpty {
				t.Fatalf("got %v", err)
			}
			if !maps.Equal(r.Columns, c.want) || !slices.Equal(r.Ignored, c.ignored) && len(r.Ignored)+len(c.ignored) > 0 {
				t.Errorf("read %q, ignored %q", r.Columns, r.Ignored)
			}
		})
	}
}

func TestHeaderRefused(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		stated map[string]string
		fault  Fault
		say    []string
	}{
		"twice the same":      {"phone,phone", nil, FaultAmbiguousColumn, []string{"columns 1, 2 could all be the phone"}},
		"two of another":      {"phone,case,reference", nil, FaultAmbiguousColumn, []string{"columns 2, 3 could all be the case reference", "--column case_reference=HEADER"}},
		"stated, absent":      {"phone,name", map[string]string{"value": "handy"}, FaultMissingColumn, []string{`no column is called "handy"`, `found "phone", "name"`}},
		"stated, twice there": {"phone,a,A", map[string]string{"codes": "a "}, "", nil},
		"stated, ambiguous":   {"phone,a,a", map[string]string{"codes": "a"}, FaultAmbiguousColumn, []string{`2 columns are called "a"`}},
		"contains the name":   {"name,suspect phone", nil, FaultMissingColumn, []string{`--column value="suspect phone"`}},
		"nothing like it":     {"name,notes", nil, FaultMissingColumn, []string{`found "name", "notes"`, "call one of them phone"}},
		"escapes in a header": {"name,\x1b[2J", nil, FaultMissingColumn, []string{`\\x1b[2J`}},
	} {
		t.Run(name, func(t *testing.T) {
			o := phoneOptions()
			o.Columns = c.stated
			_, err := importText(t, c.header+"\n0491570006,x\n", o, nil)
			e, ok := errors.AsType[*FileError](err)
			if !ok && c.fault != "" || ok && e.Fault != c.fault && c.fault != "" {
				t.Fatalf("got %v, want %s", err, c.fault)
			}
			for _, s := range c.say {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// A first line of data must not be quoted in the error, but is there for own eyes.
func TestDataInPlaceOfAHeaderIsNotQuoted(t *testing.T) {
	for _, first := range []string{"0491570006,notes", "jane@example.org,name", "some_handle,another"} {
		_, err := importText(t, first+"\nx,y\n", phoneOptions(), nil)
		e, ok := errors.AsType[*FileError](err)
		if !ok || e.Fault != FaultMissingColumn {
			t.Fatalf("%q: %v", first, err)
		}
		cell, _, _ := strings.Cut(first, ",")
		if strings.Contains(err.Error(), cell) || e.Found[0] != cell {
			t.Errorf("error %q, found %q", err, e.Found)
		}
	}
}

func TestHeaderWarnings(t *testing.T) {
	r, err := importText(t, "phone,mobile,victim?,asylum status,paper,case\n0491570006,,,,,\n", phoneOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(r.Warnings, "\n")
	for _, s := range []string{"column 2 (mobile)", "column 3 (victim?)", "column 4 (asylum status)"} {
		if !strings.Contains(all, s) {
			t.Errorf("no warning of %s in %q", s, all)
		}
	}
	if len(r.Warnings) != 3 {
		t.Errorf("%d warnings: %q", len(r.Warnings), r.Warnings)
	}
}

func TestRaggedRows(t *testing.T) {
	for name, c := range map[string]struct {
		header, row string
		rejected    bool
	}{
		"as many":                      {"phone,a", "0491570006,x", false},
		"too few":                      {"phone,a", "0491570006", true},
		"too many":                     {"phone,a", "0491570006,x,y", true},
		"too many, but blank":          {"phone,a", "0491570006,x, ,", false},
		"unnamed last column":          {"phone,a,,", "0491570006,x", false},
		"content in an unnamed column": {"phone,a,", "0491570006,x,y", false},
		"beyond the unnamed column":    {"phone,a,", "0491570006,x,y,z", true},
		"unnamed middle column":        {"phone,,a", "0491570006,x", true},
	} {
		r, err := importText(t, c.header+"\n"+c.row+"\n0491570156"+strings.Repeat(",", strings.Count(c.header, ","))+"\n", phoneOptions(), nil)
		if err != nil || r.Rows != 2 || (r.Reasons[reasonRagged] == 1) != c.rejected {
			t.Errorf("%s: %v %v %v", name, r, r.Reasons, err)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		limit, want int
	}{
		{"", "", 3, 0}, {"phone", "phone", 3, 0}, {"phnoe", "phone", 3, 2}, {"phon", "phone", 3, 1},
		{"phone", "phones", 3, 1}, {"fax", "phone", 3, 3}, {"", "abcdef", 3, 3}, {"電話", "電 話", 3, 1},
	} {
		if got := editDistance(c.a, c.b, c.limit); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Every name under which a column is found must survive fold, or it can never match,
// and must belong to one field alone.
func TestFieldNamesAreFolded(t *testing.T) {
	for _, k := range indicator.Kinds() {
		owner := map[string]string{}
		claim := func(name, field string) {
			if fold(name) != name {
				t.Errorf("%s: %q is not folded", k, name)
			}
			if other, ok := owner[name]; ok && other != field {
				t.Errorf("%s: %q is of %s and %s", k, name, other, field)
			}
			owner[name] = field
		}
		strong, weak := valueNames(k)
		for _, n := range append(strong, weak...) {
			claim(n, "value")
		}
		for f, d := range definitions() {
			if d.name == "" || field(f) != fieldValue && len(d.synonyms) == 0 {
				t.Errorf("field %d has no names", f)
			}
			if d.kinds == nil || slices.Contains(d.kinds, k) {
				for _, n := range d.synonyms {
					claim(n, d.name)
				}
			}
		}
	}
	for _, n := range commonNames() {
		if fold(n) != n {
			t.Errorf("%q is not folded", n)
		}
	}
}
