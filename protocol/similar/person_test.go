package similar

import (
	"math"
	"testing"

	"entente/crypto/he"
	"entente/protocol/indicator"
	"entente/protocol/person"
)

// TestVectorsOfRecordsFit: what persons and faces come to is within the bounds of a run.
func TestVectorsOfRecordsFit(t *testing.T) {
	p, _, err := person.Parse(person.Fields{
		Name: "karimov bolotbek sadirov temirlan nazgulov dastanbek valimov rahimov", Born: "1990-05-17",
	}, person.Defaults{})
	if err != nil {
		t.Fatal(err)
	}
	if person.Dimensions > MaxDimension || person.MaxThreshold > MaxThreshold {
		t.Errorf("%d coordinates, threshold %d", person.Dimensions, person.MaxThreshold)
	}
	for _, threshold := range []int{person.DefaultThreshold, person.MaxThreshold} {
		s := Session{Dimension: person.Dimensions, Threshold: threshold}
		if s.MaxSquare() < person.MaxSquare {
			t.Errorf("threshold %d: squared norms up to %d, persons have %d", threshold, s.MaxSquare(), person.MaxSquare)
		}
		l := list{layout: he.Layout{Dimension: person.Dimensions, Slots: 1, Split: 1}, square: s.MaxSquare()}
		for _, side := range []person.Side{person.Probe, person.Template} {
			if err := l.check(p.Profile().Features(side)[:]); err != nil {
				t.Errorf("threshold %d: %v", threshold, err)
			}
		}
	}
	for n := 64; n <= 1024; n += 8 {
		numbers := make([]float64, n)
		for i := range numbers {
			numbers[i] = math.Sin(float64(i * n))
		}
		v, _, err := indicator.ParseFace("net", numbers)
		if err != nil {
			t.Fatal(err)
		}
		_, face, ok := indicator.FaceVector(v.Element())
		// A threshold of cosine 0.7 leaves room for the largest norm that a face can have.
		square := (&Session{Threshold: 127 * 127 * 7 / 10}).MaxSquare()
		l := list{layout: he.Layout{Dimension: n, Slots: 1, Split: 1}, square: square}
		if err := l.check(face); !ok || err != nil {
			t.Errorf("%d coordinates: %v", n, err)
		}
		if most := 127 + math.Sqrt(float64(n))/2; most*most > float64(square) {
			t.Errorf("%d coordinates: a squared norm up to %.0f", n, most*most)
		}
	}
}
