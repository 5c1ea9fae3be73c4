package intake

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"entente/protocol/indicator"
)

func faceOptions() Options {
	o := optionsOf(indicator.Face)
	o.Defaults.Model = "net-1"
	return o
}

// faceNumbers are n rows of numbers, as float32 has them.
func faceNumbers(seed uint64, rows, columns int) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 4))
	out := make([][]float64, rows)
	for i := range out {
		out[i] = make([]float64, columns)
		for j := range out[i] {
			out[i][j] = float64(float32(r.NormFloat64()))
		}
	}
	return out
}

func listed(numbers []float64) string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(numbers)), ", "), "[]")
}

// npyFile writes an array as numpy.save does.
func npyFile(version byte, descr string, numbers [][]float64) []byte {
	columns := 0
	if len(numbers) > 0 {
		columns = len(numbers[0])
	}
	return npyWith(version, fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }\n", descr, len(numbers), columns), npyBody(descr, numbers))
}

func npyWith(version byte, header string, body []byte) []byte {
	b := []byte(npyMagic + string([]byte{version, 0}))
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), body...)
}

func npyBody(descr string, numbers [][]float64) []byte {
	var b []byte
	for _, row := range numbers {
		for _, x := range row {
			switch descr {
			case "<f4":
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(x)))
			case "<f8":
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
			default:
				b = append(b, byte(int8(x)))
			}
		}
	}
	return b
}

// TestFacesOfEveryForm: the same vectors give the same elements, whatever the file is.
func TestFacesOfEveryForm(t *testing.T) {
	numbers := faceNumbers(1, 3, 128)
	var csv, objects strings.Builder
	csv.WriteString("embedding,case\n")
	for i, row := range numbers {
		fmt.Fprintf(&csv, "\"%s\",C-%d\n", listed(row), i)
		fmt.Fprintf(&objects, "{\"case_reference\": \"C-%d\", \"vector\": [%s], \"model\": \"net-1\"}\n", i, listed(row))
	}
	want := map[string]bool{}
	for _, row := range numbers {
		v, _, err := indicator.ParseFace("net-1", row)
		if err != nil {
			t.Fatal(err)
		}
		want[string(v.Element())] = true
	}
	without := faceOptions()
	without.Defaults.Model = ""
	for name, c := range map[string]struct {
		file string
		o    Options
	}{
		"csv": {csv.String(), faceOptions()}, "json": {objects.String(), without},
		"npy float32": {string(npyFile(1, "<f4", numbers)), faceOptions()}, "npy float64": {string(npyFile(2, "<f8", numbers)), faceOptions()},
	} {
		var sink memorySink
		r, err := importText(t, c.file, c.o, &sink)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		checkSums(t, r)
		if r.Ready != len(want) || r.Changes["quantised"] != 3 || !strings.Contains(strings.Join(r.Warnings, " "), "research alone") {
			t.Errorf("%s: %v, changes %v, warnings %q", name, r, r.Changes, r.Warnings)
		}
		for element, rec := range sink.have {
			if !want[element] || rec.Original != "" {
				t.Errorf("%s: another element, or numbers kept", name)
			}
			if ref := rec.Handling.CaseReference; strings.HasPrefix(name, "npy") != (ref == "") {
				t.Errorf("%s: case %q", name, ref)
			}
		}
	}
}

func TestFacesOfWholeNumbers(t *testing.T) {
	row := make([]float64, 64)
	for i := range row {
		row[i] = float64(16 - 32*(i%2))
	}
	var sink memorySink
	r, err := importText(t, string(npyFile(1, "|i1", [][]float64{row})), faceOptions(), &sink)
	if err != nil || r.Changes["quantised"] != 0 {
		t.Fatalf("%v, changes %v", err, r.Changes)
	}
	for element := range sink.have {
		if _, v, ok := indicator.FaceVector([]byte(element)); !ok || v[0] != 16 || v[1] != -16 {
			t.Errorf("read as %v", v)
		}
	}
}

// TestFaceRowsAreAllReported: a row that is no face is rejected with its number.
func TestFaceRowsAreAllReported(t *testing.T) {
	numbers := faceNumbers(2, 5, 64)
	numbers[1] = make([]float64, 64)
	numbers[2][7] = math.NaN()
	numbers[4] = numbers[0]
	r, err := importText(t, string(npyFile(1, "<f4", numbers)), faceOptions(), &memorySink{})
	if err != nil {
		t.Fatal(err)
	}
	checkSums(t, r)
	if a, b := find(t, r, Rejected, 2), find(t, r, Rejected, 3); a.Reason != "stop_value" || b.Reason != "not_a_number" || a.Column != 0 || a.Before != "" {
		t.Errorf("%v, %v", a, b)
	}
	if d := find(t, r, Duplicate, 5); d.Reason != "in_file" || r.Ready != 2 {
		t.Errorf("%v in %v", d, r)
	}
	o := faceOptions()
	o.Defaults.Model = ""
	if _, err := importText(t, string(npyFile(1, "<f4", numbers)), o, &memorySink{}); !strings.Contains(fmt.Sprint(err), "embedding model") {
		t.Errorf("without a model: %v", err)
	}
	csv, err := importText(t, "vector,model\n\"1,2,x\",m\n\"1 2\",m\n1,net 1\n", faceOptions(), nil)
	if err == nil || csv.Reasons["not_a_number"] != 1 || csv.Reasons["dimension"] != 1 || csv.Reasons["model"] != 1 {
		t.Errorf("%v, reasons %v", err, csv.Reasons)
	}
}

func TestNPYRefused(t *testing.T) {
	good := npyFile(1, "<f4", faceNumbers(3, 2, 64))
	header := func(s string) []byte { return npyWith(1, s, make([]byte, 512)) }
	for name, c := range map[string]struct {
		file  []byte
		fault Fault
		say   string
	}{
		"cut":               {good[:len(good)-1], FaultUnreadable, "line 2: the header says 2 rows, but the file ends here"},
		"cut after a row":   {good[:len(good)-256], FaultUnreadable, "line 2: the header says 2 rows, but the file ends here"},
		"goes on":           {append(bytes.Clone(good), 0), FaultUnreadable, "goes on"},
		"magic alone":       {good[:6], FaultHeader, "ends in its header"},
		"cut header":        {good[:40], FaultHeader, "ends in its header"},
		"version 3":         {npyWith(3, "{}", nil), FaultHeader, "another version"},
		"endless header":    {npyWith(2, strings.Repeat(" ", maxNPYHeader+1), nil), FaultHeader, "longer than 64 KiB"},
		"endless size":      {append([]byte(npyMagic), 2, 0, 0xff, 0xff, 0xff, 0xff, '{'), FaultHeader, "longer than 64 KiB"},
		"no dictionary":     {header("{'shape': (1, 64)}"), FaultHeader, "does not describe"},
		"one dimension":     {header("{'descr': '<f4', 'fortran_order': False, 'shape': (64,), }"), FaultHeader, "does not describe"},
		"three dimensions":  {header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 64), }"), FaultHeader, "does not describe"},
		"objects":           {header("{'descr': '|O', 'fortran_order': False, 'shape': (1, 64), }"), FaultHeader, "does not describe"},
		"big-endian":        {header("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 64), }"), FaultHeader, "neither float32"},
		"half":              {header("{'descr': '<f2', 'fortran_order': False, 'shape': (1, 64), }"), FaultHeader, "neither float32"},
		"columns":           {header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 64), }"), FaultHeader, "column by column"},
		"many rows":         {header("{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 64), }"), FaultHeader, "more rows"},
		"odd":               {header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 65), }"), FaultHeader, "have 65 numbers"},
		"wide":              {header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 9999999999), }"), FaultHeader, "have 9999999999 numbers"},
		"no rows":           {npyWith(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 64), }", nil), FaultEmpty, "empty"},
		"code in the shape": {header("{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os'), 64), }"), FaultHeader, "does not describe"},
	} {
		_, err := importText(t, string(c.file), faceOptions(), &memorySink{})
		if e, ok := errors.AsType[*FileError](err); !ok || e.Fault != c.fault || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.fault, c.say)
		}
	}
	named := faceOptions()
	named.Columns = map[string]string{"value": "x"}
	for _, o := range []Options{optionsOf(indicator.Person), named} {
		if _, err := importText(t, string(good), o, nil); !strings.Contains(fmt.Sprint(err), "nothing else") {
			t.Errorf("%s: %v", o.Kind, err)
		}
	}
}

// FuzzNPY: whatever the bytes, reading ends with a *FileError or after the rows that the header
// says, and costs memory by their number alone.
func FuzzNPY(f *testing.F) {
	good := npyFile(1, "<f4", faceNumbers(5, 2, 64))
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add(npyFile(2, "|i1", faceNumbers(5, 1, 72)))
	f.Add(npyFile(2, "<f8", faceNumbers(5, 1, 64)))
	f.Add(npyWith(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 1024), }", make([]byte, 100)))
	f.Fuzz(func(t *testing.T, in []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		read, err := readRows(in, faceOptions())
		runtime.ReadMemStats(&after)
		if cost, limit := after.TotalAlloc-before.TotalAlloc, uint64(32*len(in)+1<<20); cost > limit {
			t.Fatalf("%d bytes cost %d", len(in), cost)
		}
		if e, ok := errors.AsType[*FileError](err); err != nil && !ok || ok && e.Text == "" {
			t.Fatalf("%d rows, then %v", len(read), err)
		}
		for i, r := range read {
			if bytes.HasPrefix(in, []byte(npyMagic)) && r.line != i+1 {
				t.Fatalf("row %d says line %d", i+1, r.line)
			}
		}
	})
}
