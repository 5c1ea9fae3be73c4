package intake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"

	"entente/protocol/indicator"
)

// NPY, version 1.0 or 2.0 (NumPy Enhancement Proposal 1): a header that is the text of a
// dictionary, then the numbers of an array, here row by row.
const (
	npyMagic     = "\x93NUMPY"
	maxNPYHeader = 64 << 10 // bytes; numpy writes some 128
	maxNPYRows   = math.MaxInt32
)

// npyRows are the rows of an array of faces.
type npyRows struct {
	*reader
	rows, size int // of the array; bytes of a row
	at         int // rows read
}

func openNPY(r *reader, o Options) (rows, *layout, int, error) {
	if o.Kind != indicator.Face || len(o.Columns) > 0 {
		return nil, nil, 0, &FileError{Fault: FaultOptions, Text: "an NPY file holds vectors of faces and nothing else",
			Hint: "give it for a list of kind face, without names of columns"}
	}
	text, err := npyHeader(r)
	if err != nil {
		return nil, nil, 0, err
	}
	h, err := readNPYHeader(text)
	if err != nil {
		return nil, nil, 0, err
	}
	l := &layout{headers: []string{""}, keyed: true, decode: h.decode}
	for f := range l.columns {
		l.columns[f] = -1
	}
	l.columns[fieldValue] = 0
	return &npyRows{reader: r, rows: h.rows, size: h.columns * h.width}, l, 0, nil
}

// skip consumes n bytes that are no text.
func (r *reader) skip(n int) {
	r.at += n
	r.consumed += int64(n)
}

// npyHeader consumes all that stands before the numbers and returns the header's text.
func npyHeader(r *reader) (string, error) {
	broken := func(text string) error {
		return &FileError{Fault: FaultHeader, Text: text, Hint: "write the array with numpy.save"}
	}
	const prefix = len(npyMagic) + 2
	if err := r.fill(prefix + 4); err != nil {
		return "", err
	}
	b := r.window()
	if len(b) < prefix+4 {
		return "", broken("the NPY file ends in its header")
	}
	start, size := 0, 0
	switch {
	case b[6] == 1 && b[7] == 0:
		start, size = prefix+2, int(binary.LittleEndian.Uint16(b[prefix:]))
	case b[6] == 2 && b[7] == 0:
		start, size = prefix+4, int(min(binary.LittleEndian.Uint32(b[prefix:]), maxNPYHeader+1))
	default:
		return "", broken("the NPY file is of another version than 1.0 and 2.0")
	}
	if size > maxNPYHeader {
		return "", broken("the header of the NPY file is longer than 64 KiB")
	}
	if err := r.fill(start + size); err != nil {
		return "", err
	}
	if len(r.window()) < start+size {
		return "", broken("the NPY file ends in its header")
	}
	text := string(r.window()[start : start+size])
	r.skip(start + size)
	return text, nil
}

// npyArray is what a header says.
type npyArray struct {
	rows, columns int
	width         int // bytes of a number
	decode        func(string) []float64
}

// readNPYHeader reads the dictionary as numpy writes it, with any spaces.
func readNPYHeader(text string) (npyArray, error) {
	refuse := func(format string, a ...any) (npyArray, error) {
		return npyArray{}, &FileError{Fault: FaultHeader, Text: fmt.Sprintf(format, a...),
			Hint: `save one array of faces in rows: numpy.save("faces.npy", numpy.ascontiguousarray(a, dtype="<f4"))`}
	}
	dictionary := regexp.MustCompile(`^\s*\{\s*'descr'\s*:\s*'([<>=|]?[a-zA-Z][0-9]{1,2})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,` +
		`\s*'shape'\s*:\s*\(\s*([0-9]{1,10})\s*,\s*([0-9]{1,10})\s*,?\s*\)\s*,?\s*\}\s*$`)
	m := dictionary.FindStringSubmatch(text)
	if m == nil {
		return refuse("the header of the NPY file does not describe numbers in rows and columns")
	}
	a := npyArray{}
	switch m[1] {
	case "<f4":
		a.width, a.decode = 4, func(s string) []float64 {
			return numbers(s, 4, func(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) })
		}
	case "<f8":
		a.width, a.decode = 8, func(s string) []float64 {
			return numbers(s, 8, func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) })
		}
	case "|i1", "<i1", "i1":
		a.width, a.decode = 1, func(s string) []float64 {
			return numbers(s, 1, func(b []byte) float64 { return float64(int8(b[0])) })
		}
	default:
		return refuse("the numbers of the NPY file are neither float32 nor float64, little-endian, nor int8")
	}
	if m[2] == "True" {
		return refuse("the NPY file holds its numbers column by column")
	}
	var errRows, errColumns error
	a.rows, errRows = strconv.Atoi(m[3])
	a.columns, errColumns = strconv.Atoi(m[4])
	switch {
	case errors.Join(errRows, errColumns) != nil || a.rows > maxNPYRows:
		return refuse("the NPY file says that it has more rows than a list can have")
	case !indicator.FaceDimension(a.columns):
		return refuse("the rows of the NPY file have %d numbers; a face has 64 to 1,024, a multiple of eight", a.columns)
	}
	return a, nil
}

// numbers decodes the bytes of one row.
func numbers(s string, width int, number func([]byte) float64) []float64 {
	b := []byte(s)
	out := make([]float64, len(b)/width)
	for i := range out {
		out[i] = number(b[i*width:])
	}
	return out
}

func (r *npyRows) passed() int64 { return r.consumed }

// next reads one row, whose line is its number. What the file has must be what its header
// says, since a file that was cut would else pass for a shorter list.
func (r *npyRows) next(w *rawRow) (blank bool, err error) {
	if r.at == r.rows {
		if err := r.fill(1); err != nil {
			return false, err
		}
		if len(r.window()) > 0 {
			return false, &FileError{Fault: FaultUnreadable, Text: fmt.Sprintf("the header says %d rows, but the file goes on behind them", r.rows), Hint: "export the array anew"}
		}
		return false, io.EOF
	}
	if err := r.fill(r.size); err != nil {
		return false, err
	}
	if len(r.window()) < r.size {
		return false, &FileError{Fault: FaultUnreadable, Line: r.at + 1, Text: fmt.Sprintf("the header says %d rows, but the file ends here", r.rows), Hint: "copy or export the array anew"}
	}
	r.at++
	w.line = r.at
	w.cells[fieldValue] = string(r.window()[:r.size])
	r.skip(r.size)
	return false, nil
}
