package intake

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"entente/protocol/indicator"
)

// Whatever the file: every row is counted once, the report depends on nothing but the
// file and the list, the sink gets what the report says, and no error tells a cell.
func FuzzImport(f *testing.F) {
	f.Add([]byte("phone,category,minor\n0491 570 006,suspect,\n\"0491570156\",victim,yes\n0491570006,,\n"), uint8(0))
	f.Add([]byte("\ufeffsep=;\r\nHandle;Platform\r\n@some_one;telegram\r\n=\"x\";\r\n"), uint8(2))
	f.Add([]byte("passport no\tissuing country\texpires\nX1234567\tAUS\t2569-02-28\n\"a\nb\tc\n"), uint8(1))
	f.Add([]byte("number\r6.14E+10\r000\r+1 (212) 555-0123\r"), uint8(0))
	f.Add([]byte("email,never with\njane@example.org,TH ID\n\xe9"), uint8(3))
	f.Add([]byte("{\"name\": \"Omar Khalid\", \"born\": 1990, \"minor\": true}\n\n{\"name\": 1}\n"), uint8(7))
	f.Add([]byte("name;born;alias\nOmar Khalid;17.05.1990;Umar\n;1990;\n1990|Omar;;\n"), uint8(7))
	f.Add(npyFile(1, "<f4", faceNumbers(6, 2, 64)), uint8(8))
	f.Add([]byte("model,vector\nNet,\""+listed(faceNumbers(6, 1, 64)[0])+"\"\n,1 2 3\n"), uint8(8))
	f.Fuzz(func(t *testing.T, in []byte, kind uint8) {
		o := phoneOptions()
		o.Defaults.Model = "net-1"
		o.Kind = indicator.Kinds()[int(kind)%len(indicator.Kinds())]
		o.Workers = 1
		one, sink := &memorySink{}, &memorySink{}
		r, err := Import(t.Context(), "f.csv", bytes.NewReader(in), int64(len(in)), o, sink)
		o.Workers = 3
		again, errAgain := Import(t.Context(), "f.csv", iotest.HalfReader(bytes.NewReader(in)), int64(len(in)), o, one)
		if !reflect.DeepEqual(r, again) || fmt.Sprint(err) != fmt.Sprint(errAgain) {
			t.Fatalf("not the same twice: %v %v, %v %v", r, err, again, errAgain)
		}
		if err != nil {
			tellsNothing(t, in, err)
			e, ok := errors.AsType[*FileError](err)
			if !ok {
				t.Fatalf("not a FileError: %v", err)
			}
			if e.Fault != FaultAllRejected {
				return
			}
		}
		checkSums(t, r)
		if len(sink.have) != r.Ready || len(sink.order) != r.Ready+r.Duplicates+r.Held {
			t.Fatalf("%v, but the sink has %d of %d", r, len(sink.have), len(sink.order))
		}
		dry, err := Import(t.Context(), "f.csv", bytes.NewReader(in), int64(len(in)), o, nil)
		if dry.Ready != r.Ready || dry.Duplicates != r.DuplicatesInFile {
			t.Fatalf("without a list: %v %v, with an empty one: %v", dry, err, r)
		}
		if err := r.WriteText(&bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	})
}

// tellsNothing fails if a number of six or more characters that stands in a row stands
// in the error. The first lines may be the header, whose names are told.
func tellsNothing(t *testing.T, in []byte, err error) {
	t.Helper()
	header, rows, _ := strings.Cut(strings.TrimLeft(string(in), "\ufeff \r\n,;\t"), "\n")
	for _, token := range regexp.MustCompile(`[0-9A-Za-z]*[0-9]{4}[0-9A-Za-z]*`).FindAllString(rows, -1) {
		if len(token) >= 6 && !strings.Contains(header, token) && strings.Contains(err.Error(), token) {
			t.Fatalf("the error tells %q: %v", token, err)
		}
	}
}

// The memory that hostile bytes can cost is bounded by their number.
func FuzzReaderMemory(f *testing.F) {
	f.Add([]byte("\"a\n\"b\n"))
	f.Add([]byte(strings.Repeat(",", 1500)))
	f.Add([]byte(strings.Repeat("\"\n", 300)))
	f.Add([]byte("\"" + strings.Repeat("\"\"", 3000)))
	f.Fuzz(func(t *testing.T, in []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := newReader(bytes.NewReader(in))
		if err := r.open(); err == nil {
			for w := new(row); r.next(w) == nil; {
				continue
			}
		}
		runtime.ReadMemStats(&after)
		if cost, limit := after.TotalAlloc-before.TotalAlloc, uint64(16*len(in)+64<<10); cost > limit {
			t.Fatalf("%d bytes of text cost %d bytes, limit %d", len(in), cost, limit)
		}
	})
}
