package indicator

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
)

// Faces: canonical text is MODEL/DIMENSION:VECTOR, the vector as base64url without padding
// of one signed byte a coordinate. A vector is what an embedding model makes of a picture,
// scaled to norm 127 and rounded. Vectors of two models say nothing about each other.
var faceDefinition = definition{
	kind: Face, version: 1, parse: parseFace, canonical: canonicalFace, similar: true, maxElement: 1 + maxFaceText, maxRaw: 1<<16 - 1,
}

const (
	maxModel      = 40 // characters of a model's name
	leastFace     = 64 // coordinates
	maxFace       = 1024
	faceStep      = 8 // divides every dimension
	faceNorm      = 127
	maxFaceText   = maxModel + 1 + 4 + 1 + (maxFace*8+5)/6
	maxCoordinate = 127 // of a canonical vector, either sign
)

// face is a canonical vector under its model.
type face struct {
	model  string
	vector []int8
}

func (f face) text() string {
	b := make([]byte, len(f.vector))
	for i, x := range f.vector {
		b[i] = byte(x)
	}
	return f.model + "/" + strconv.Itoa(len(b)) + ":" + base64.RawURLEncoding.EncodeToString(b)
}

// parseFace reads the canonical text, or numbers as a model puts them out.
func parseFace(raw string, d Defaults) (content, []Change, *Rejection) {
	if strings.Contains(raw, ":") {
		f, r := readFace(raw)
		if r != nil {
			return content{}, nil, r
		}
		return content{formCanonical, f.text()}, nil, nil
	}
	numbers, r := faceNumbers(raw)
	if r != nil {
		return content{}, nil, r
	}
	f, changes, r := quantised(d.Model, numbers)
	if r != nil {
		return content{}, nil, r
	}
	return content{formCanonical, f.text()}, changes, nil
}

// ParseFace is Parse for a vector of numbers that are not text.
func ParseFace(model string, numbers []float64) (Value, []Change, error) {
	f, changes, r := quantised(model, numbers)
	if r != nil {
		return Value{}, nil, r
	}
	return newValue(Face, content{formCanonical, f.text()}), changes, nil
}

// FaceVector returns the model and the coordinates of a face's element: 64 to 1,024 of
// them, a multiple of eight, each from −127 to 127. ok is false if the bytes are none.
func FaceVector(element []byte) (model string, vector []int8, ok bool) {
	if len(element) < 2 || len(element) > faceDefinition.maxElement || form(element[0]) != formCanonical {
		return "", nil, false
	}
	f, r := readFace(string(element[1:]))
	if r != nil {
		return "", nil, false
	}
	return f.model, f.vector, true
}

func canonicalFace(c content) bool {
	f, r := readFace(c.text)
	return c.form == formCanonical && r == nil && f.text() == c.text
}

// readFace reads canonical text. What it accepts is what text writes: the dimension has
// one spelling for its length, and base64 is read strictly.
func readFace(s string) (face, *Rejection) {
	model, rest, _ := strings.Cut(s, "/")
	size, encoded, ok := strings.Cut(rest, ":")
	if !ok || len(s) > maxFaceText {
		return face{}, reject(ReasonVector)
	}
	if !modelName(model) {
		return face{}, reject(ReasonModel)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") || size != strconv.Itoa(len(b)) {
		return face{}, reject(ReasonVector)
	}
	f := face{model, make([]int8, len(b))}
	for i, x := range b {
		f.vector[i] = int8(x)
	}
	return f, f.check()
}

// check holds a vector to the bounds that quantising keeps.
func (f face) check() *Rejection {
	if !FaceDimension(len(f.vector)) {
		return reject(ReasonDimension)
	}
	if stopVector(f.vector) {
		return reject(ReasonStopValue)
	}
	for _, x := range f.vector {
		if x < -maxCoordinate {
			return reject(ReasonVector)
		}
	}
	if !plausibleNorm(f.vector) {
		return reject(ReasonVector)
	}
	return nil
}

// FaceDimension reports a number of coordinates that a face can have.
func FaceDimension(n int) bool { return n >= leastFace && n <= maxFace && n%faceStep == 0 }

// plausibleNorm reports |‖v‖ − 127| ≤ √n/2: rounding moves each of n coordinates by 1/2 at
// most, so that the vector moves by √n/2 at most. With s the squared norm, squaring
// (√s − 127)² ≤ n/4 and moving the root to one side gives 4s + 4·127² − n ≤ 8·127·√s, whose
// left side is positive, so that squaring once more leaves integers: below 2^53 each.
func plausibleNorm(v []int8) bool {
	s := squaredNorm(v)
	left := 4*s + 4*faceNorm*faceNorm - int64(len(v))
	return left*left <= 64*faceNorm*faceNorm*s
}

func squaredNorm(v []int8) int64 {
	var s int64
	for _, x := range v {
		s += int64(x) * int64(x)
	}
	return s
}

// stopVector reports what stands where no face was found: all coordinates the same, or
// all but one zero.
func stopVector[T int8 | float64](v []T) bool {
	same, filled := true, 0
	for _, x := range v {
		same = same && x == v[0]
		if x != 0 {
			filled++
		}
	}
	return same || filled < 2
}

// modelName reports 1 to 40 of a-z, 0-9, point, underscore and hyphen, a letter or digit
// first.
func modelName(s string) bool {
	return s != "" && len(s) <= maxModel && isLowerNum(s[0]) &&
		onlyOf(s, func(b byte) bool { return isLowerNum(b) || b == '.' || b == '_' || b == '-' })
}

// faceNumbers reads a list of decimal numbers, which a JSON array is one form of.
func faceNumbers(s string) ([]float64, *Rejection) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return nil, reject(ReasonNotANumber)
		}
	}
	var numbers []float64
	for field := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) }) {
		if len(numbers) == maxFace {
			return nil, reject(ReasonDimension)
		}
		// ParseFloat rounds correctly, but it also reads infinity, NaN and hexadecimal.
		x, err := strconv.ParseFloat(field, 64)
		if err != nil || !onlyOf(field, func(b byte) bool { return isDigit(b) || strings.IndexByte("+-.eE", b) >= 0 }) {
			return nil, reject(ReasonNotANumber)
		}
		numbers = append(numbers, x)
	}
	return numbers, nil
}

// quantised scales numbers to norm 127 and rounds them half away from zero. Numbers that
// are already such a vector stay as they are.
//
// Every machine gives the same bytes: scaling by a power of two, the conversions and
// rounding to integers are exact; products, sums, the root and quotients are single
// operations of IEEE 754, each rounded once. Go may fuse a product and a sum into one
// rounding unless the product is converted, so that it is.
func quantised(model string, numbers []float64) (face, []Change, *Rejection) {
	name := strings.ToLower(model)
	switch {
	case model == "":
		return face{}, nil, reject(ReasonModelMissing)
	case !modelName(name):
		return face{}, nil, reject(ReasonModel)
	case !FaceDimension(len(numbers)):
		return face{}, nil, reject(ReasonDimension)
	}
	most := 0.0
	for _, x := range numbers {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return face{}, nil, reject(ReasonNotANumber)
		}
		most = max(most, math.Abs(x))
	}
	if stopVector(numbers) {
		return face{}, nil, reject(ReasonStopValue)
	}
	changes := []Change{changeModelAdded}
	if name != model {
		changes = append(changes, changeCase)
	}
	f := face{name, make([]int8, len(numbers))}
	if f.take(numbers) {
		return f, changes, nil
	}
	_, exponent := math.Frexp(most)
	scaled, sum := make([]float64, len(numbers)), 0.0
	for i, x := range numbers {
		scaled[i] = math.Ldexp(x, -exponent) // below 1: no square overflows
		sum += float64(scaled[i] * scaled[i])
	}
	norm := math.Sqrt(sum)
	for i, x := range scaled {
		f.vector[i] = int8(math.Round(float64(faceNorm*x) / norm))
	}
	if r := f.check(); r != nil {
		return face{}, nil, r
	}
	return f, append(changes, changeQuantised), nil
}

// take writes down numbers that are a canonical vector already.
func (f face) take(numbers []float64) bool {
	for i, x := range numbers {
		if x != math.Trunc(x) || math.Abs(x) > maxCoordinate {
			return false
		}
		f.vector[i] = int8(x)
	}
	return f.check() == nil
}
