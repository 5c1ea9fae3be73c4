package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"entente/node/keys"
	"entente/node/metrics"
)

// firstNumber is that of the lists that phones writes.
const firstNumber = 20000123

// phones writes two lists of n numbers that share m in different notations, and one
// of the shared in canonical form: phones n m a.csv b.csv shared
func phones(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 5 {
		ts.Fatalf("usage: phones n m file file shared")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	m, err := strconv.Atoi(args[1])
	ts.Check(err)
	var a, b, shared bytes.Buffer
	a.WriteString("phone\n")
	b.WriteString("nomor telepon;catatan\n")
	for i := range n {
		own, other := firstNumber+i*37, 60000211+i*41 // ranges that do not meet
		if i < m {
			other = own
			fmt.Fprintf(&shared, "+614%d\n", own)
		}
		digits := strconv.Itoa(other)
		fmt.Fprintf(&a, "04%d\n", own)
		fmt.Fprintf(&b, "\"0061 4%s-%s\";x\n", digits[:2], digits[2:])
	}
	for i, content := range [][]byte{a.Bytes(), b.Bytes(), shared.Bytes()} {
		ts.Check(os.WriteFile(ts.MkAbs(args[2+i]), content, 0o600))
	}
}

// document reads the JSON document on standard output, which must be all of it.
func document(ts *testscript.TestScript) any {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var v any
	if err := d.Decode(&v); err != nil {
		ts.Fatalf("standard output is no JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		ts.Fatalf("something follows the JSON document")
	}
	return v
}

// at finds a value by its path, such as learns.us or 0.id.
func at(ts *testscript.TestScript, v any, path string) any {
	for _, step := range strings.Split(path, ".") {
		var ok bool
		switch x := v.(type) {
		case map[string]any:
			v, ok = x[step]
		case []any:
			i, err := strconv.Atoi(step)
			if ok = err == nil && i < len(x); ok {
				v = x[i]
			}
		}
		if !ok {
			ts.Fatalf("there is no %s in %s", path, ts.ReadFile("stdout"))
		}
	}
	return v
}

// fields demands that standard output is JSON with values at these paths, or with !
// without them: fields id learns.us state=done
func fields(ts *testscript.TestScript, neg bool, args []string) {
	v := document(ts)
	for _, arg := range args {
		path, want, compare := strings.Cut(arg, "=")
		if neg {
			if m, ok := v.(map[string]any); !ok || m[path] != nil {
				ts.Fatalf("%s is there", path)
			}
			continue
		}
		got := at(ts, v, path)
		if compare && fmt.Sprint(got) != want {
			ts.Fatalf("%s is %v, want %s", path, got, want)
		}
	}
}

// take keeps a value of the JSON on standard output as a variable: take ROUND 0.id
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take variable path")
	}
	ts.Setenv(args[0], fmt.Sprint(at(ts, document(ts), args[1])))
}

// values writes one field of every object of the array on standard output to a file,
// sorted: values value hits
func values(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: values field file")
	}
	all, ok := document(ts).([]any)
	if !ok {
		ts.Fatalf("standard output is no array")
	}
	var lines []string
	for _, one := range all {
		lines = append(lines, fmt.Sprint(at(ts, one, args[0]))+"\n")
	}
	slices.Sort(lines)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "")), 0o600))
}

// flip changes one bit in the middle of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip file")
	}
	b := []byte(ts.ReadFile(args[0]))
	b[len(b)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// edit replaces a text that must be in a file: edit file old new
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit file old new")
	}
	old := ts.ReadFile(args[0])
	if !strings.Contains(old, args[1]) {
		ts.Fatalf("%s does not hold the text", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(old, args[1], args[2], 1)), 0o600))
}

// private demands that only the owner may use these files.
func private(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		info, err := os.Lstat(ts.MkAbs(name))
		ts.Check(err)
		if open := info.Mode().Perm()&0o077 != 0; open != neg {
			ts.Fatalf("%s has mode %v", name, info.Mode())
		}
	}
}

// rawBytes writes a file that a story cannot hold as text: bytes file 6869ff
func rawBytes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: bytes file quoted")
	}
	s, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(s), 0o600))
}

// scrape shows what a daemon answers to Prometheus, or with ! demands that it answers
// nothing: scrape port [path]
func scrape(ts *testscript.TestScript, neg bool, args []string) {
	path := metrics.Path
	switch len(args) {
	case 1:
	case 2:
		path = args[1]
	default:
		ts.Fatalf("usage: scrape port [path]")
	}
	r, err := http.Get("http://127.0.0.1:" + args[0] + path)
	if err == nil {
		var b []byte
		b, err = io.ReadAll(r.Body)
		ts.Check(errors.Join(err, r.Body.Close()))
		_, _ = ts.Stdout().Write(b)
	}
	if ok := err == nil && r.StatusCode == http.StatusOK; ok == neg {
		ts.Fatalf("answered: %v, %v", ok, err)
	}
}

// secrets demands that a file holds no number of the story, in any notation, and no
// key of a node: secrets file dir...
func secrets(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: secrets file dir...")
	}
	text := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -\t", r) {
			return -1
		}
		return r
	}, ts.ReadFile(args[0]))
	if text == "" {
		ts.Fatalf("%s is empty", args[0])
	}
	for i := range 50 {
		if strings.Contains(text, strconv.Itoa(firstNumber+i*37)) {
			ts.Fatalf("%s holds a number", args[0])
		}
	}
	for _, dir := range args[1:] {
		k, err := keys.Open(ts.MkAbs(dir), keys.Unlock{})
		ts.Check(err)
		for _, secret := range [][]byte{k.Identity().Seed(), k.Transport().Private().Seed(), k.Store().Bytes()} {
			part := secret[:12] // no padding in base64
			for _, form := range []string{
				string(part), fmt.Sprintf("%x", part), fmt.Sprintf("%X", part), strings.ReplaceAll(fmt.Sprint(part), " ", ""),
				base64.StdEncoding.EncodeToString(part), base64.URLEncoding.EncodeToString(part),
			} {
				if strings.Contains(text, form) {
					ts.Fatalf("%s holds a key of %s", args[0], dir)
				}
			}
		}
	}
}

// faces writes an array of so many vectors of so many coordinates, as numpy.save does.
func faces(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: faces file rows columns")
	}
	rows, err := strconv.Atoi(args[1])
	ts.Check(err)
	columns, err := strconv.Atoi(args[2])
	ts.Check(err)
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	b = append(b, header...)
	r := rand.New(rand.NewPCG(1, 2))
	for range rows * columns {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(r.NormFloat64())))
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}
