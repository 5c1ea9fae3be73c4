package indicator

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// numberList writes n numbers as a model puts them out.
func numberList(r *rand.Rand, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strconv.FormatFloat(r.NormFloat64(), 'g', -1, 32)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// TestFaceKeepsItsDirection: a vector and what it is quantised to have nearly the same
// direction, the norm is within the bound, and no scale changes the outcome.
func TestFaceKeepsItsDirection(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 400 {
		numbers := make([]float64, leastFace+faceStep*r.IntN((maxFace-leastFace)/faceStep+1))
		for i := range numbers {
			numbers[i] = math.Pow(r.NormFloat64(), float64(1+2*r.IntN(3))) // odd powers: heavy tails
		}
		v, _, err := ParseFace("net", numbers)
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, Face, v)
		_, q, ok := FaceVector(v.Element())
		if !ok || len(q) != len(numbers) {
			t.Fatalf("%d coordinates of %d", len(q), len(numbers))
		}
		// The error vector is at most √n/2 long, so that the sine of the angle is at most that over 127.
		dot, norm := 0.0, 0.0
		for i, x := range numbers {
			dot += x * float64(q[i])
			norm += x * x
		}
		cosine := dot / math.Sqrt(norm*float64(squaredNorm(q)))
		if sine := math.Sqrt(max(0, 1-cosine*cosine)); sine > math.Sqrt(float64(len(q)))/2/faceNorm+1e-6 {
			t.Fatalf("%d coordinates: cosine %f", len(q), cosine)
		}
		for i := range numbers {
			numbers[i] *= 1 << 20
		}
		if w, _, err := ParseFace("net", numbers); err != nil || !w.Equal(v) {
			t.Fatalf("another scale gives another face: %v", err)
		}
	}
}

// TestFaceNormBound compares the bound in whole numbers with the one in real ones.
func TestFaceNormBound(t *testing.T) {
	for _, n := range []int{leastFace, 512, maxFace} {
		for first := 0; first <= maxCoordinate; first++ {
			for second := 0; second <= maxCoordinate; second++ {
				v := make([]int8, n)
				v[0], v[1] = int8(first), int8(second)
				want := math.Abs(math.Sqrt(float64(first*first+second*second))-faceNorm) <= math.Sqrt(float64(n))/2
				if plausibleNorm(v) != want {
					t.Fatalf("%d coordinates, %d and %d: want %v", n, first, second, want)
				}
			}
		}
	}
}

func TestFaceVectorRefuses(t *testing.T) {
	good := mustParse(t, Face, "net-1/64:"+plainFace())
	if model, v, ok := FaceVector(good.Element()); !ok || model != "net-1" || len(v) != 64 || v[0] != 16 || v[1] != 15 || v[2] != 17 {
		t.Errorf("%s %v %v", model, v, ok)
	}
	for _, e := range badElements() {
		if _, _, ok := FaceVector([]byte(e.element)); ok {
			t.Errorf("%s is read as a face", e.name)
		}
	}
	if _, _, ok := FaceVector(nil); ok {
		t.Error("nothing is read as a face")
	}
}

func TestParseFaceRefuses(t *testing.T) {
	good := func() []float64 {
		v := make([]float64, 64)
		for i := range v {
			v[i] = float64(i)
		}
		return v
	}
	with := func(x float64) []float64 { return append(good()[1:], x) }
	for _, c := range []struct {
		model   string
		numbers []float64
		reason  Reason
	}{
		{"", good(), ReasonModelMissing},
		{"net 1", good(), ReasonModel},
		{"net", nil, ReasonDimension},
		{"net", good()[:56], ReasonDimension},
		{"net", append(good(), 1), ReasonDimension},
		{"net", make([]float64, 1032), ReasonDimension},
		{"net", with(math.NaN()), ReasonNotANumber},
		{"net", with(math.Inf(1)), ReasonNotANumber},
		{"net", with(math.Inf(-1)), ReasonNotANumber},
		{"net", make([]float64, 64), ReasonStopValue},
		{"net", append(make([]float64, 63), 1e-300), ReasonStopValue},
	} {
		_, _, err := ParseFace(c.model, c.numbers)
		wantReason(t, err, string(c.reason))
	}
	if v, changes, err := ParseFace("Net", with(math.MaxFloat64)); err == nil {
		t.Errorf("%v %v: all but one are rounded to zero", v, changes)
	}
}
