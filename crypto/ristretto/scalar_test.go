package ristretto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
)

// groupOrder is ℓ.
func groupOrder() *big.Int {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
}

func value(s *Scalar) *big.Int { return new(big.Int).SetBytes(reversed(s.Bytes())) }

func TestScalarArithmetic(t *testing.T) {
	l := groupOrder()
	all := append(edgeScalars(t)[:40], randomScalars(t, "arithmetic", 20)...)
	for i := range all {
		for j := range all {
			a, b := &all[i], &all[j]
			x, y := value(a), value(b)
			var sum, difference, product, negative Scalar
			sum.Add(a, b)
			difference.Sub(a, b)
			product.Mul(a, b)
			negative.Neg(a)
			for name, c := range map[string][2]*big.Int{
				"sum":        {value(&sum), new(big.Int).Add(x, y)},
				"difference": {value(&difference), new(big.Int).Sub(x, y)},
				"product":    {value(&product), new(big.Int).Mul(x, y)},
				"negative":   {value(&negative), new(big.Int).Neg(x)},
			} {
				if c[0].Cmp(c[1].Mod(c[1], l)) != 0 {
					t.Fatalf("%s of %v and %v: %v, want %v", name, x, y, c[0], c[1])
				}
			}
			if a.Equal(b) != (x.Cmp(y) == 0) {
				t.Errorf("Equal is wrong for %v and %v", x, y)
			}
		}
	}
}

func TestInversion(t *testing.T) {
	l := groupOrder()
	s := append(edgeScalars(t)[1:30], randomScalars(t, "invert", 50)...)
	for n := range len(s) + 1 {
		all := append([]Scalar(nil), s[:n]...)
		if err := InvertAll(all); err != nil {
			t.Fatal(err)
		}
		for i := range all {
			var one Scalar
			if err := one.Invert(&s[i]); err != nil || !one.Equal(&all[i]) {
				t.Fatalf("%d of %d: inverses differ, %v", i, n, err)
			}
			if want := new(big.Int).ModInverse(value(&s[i]), l); want.Cmp(value(&one)) != 0 {
				t.Fatalf("inverse of %v: %v, want %v", value(&s[i]), value(&one), want)
			}
		}
	}
	all := append([]Scalar(nil), s...)
	all[17] = Scalar{}
	if err := InvertAll(all); !errors.Is(err, ErrScalar) || !strings.Contains(err.Error(), "scalar 17 of") {
		t.Errorf("zero among others: %v", err)
	}
	for i := range all {
		if i != 17 && !all[i].Equal(&s[i]) {
			t.Errorf("scalar %d changed", i)
		}
	}
	var zero, z Scalar
	if err := z.Invert(&zero); !errors.Is(err, ErrScalar) {
		t.Errorf("inverse of zero: %v", err)
	}
	if !zero.IsZero() || s[0].IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestParseScalarIsStrict(t *testing.T) {
	l := groupOrder()
	for i := int64(-3); i < 4; i++ {
		b := littleEndian(new(big.Int).Add(l, big.NewInt(i)))
		s, err := ParseScalar(b)
		if (err == nil) != (i < 0) || err != nil && !errors.Is(err, ErrScalar) {
			t.Errorf("order%+d: %v", i, err)
		}
		if err == nil && !bytes.Equal(s.Bytes(), b) {
			t.Errorf("order%+d: %x", i, s.Bytes())
		}
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := ParseScalar(make([]byte, n)); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := ParseScalar(bytes.Repeat([]byte{0xff}, ScalarSize)); !errors.Is(err, ErrScalar) {
		t.Errorf("all ones: %v", err)
	}
	if _, err := ScalarFromUniform(make([]byte, 63)); !errors.Is(err, ErrSize) {
		t.Errorf("63 uniform bytes: %v", err)
	}
}

func TestReduction(t *testing.T) {
	l := groupOrder()
	inputs := [][]byte{make([]byte, 64), bytes.Repeat([]byte{0xff}, 64)}
	for i := range 50 {
		inputs = append(inputs, stream(fmt.Sprint("reduce", i), 64))
	}
	for _, in := range inputs {
		s, err := ScalarFromUniform(in)
		if err != nil {
			t.Fatal(err)
		}
		want := new(big.Int).SetBytes(reversed(in))
		if value(&s).Cmp(want.Mod(want, l)) != 0 {
			t.Errorf("%x: %v, want %v", in, value(&s), want)
		}
	}
}

func TestHashToScalarAgreesWithCircl(t *testing.T) {
	for n := range 200 {
		in, domain := stream("scalar", n), stream("domain", n+100)
		s, err := HashToScalar(in, domain)
		if err != nil {
			t.Fatal(err)
		}
		want, err := group.Ristretto255.HashToScalar(in, domain).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(s.Bytes(), want) {
			t.Errorf("input of %d bytes: %x, want %x", n, s.Bytes(), want)
		}
	}
	if _, err := HashToScalar(nil, nil); !errors.Is(err, ErrSize) {
		t.Errorf("empty domain: %v", err)
	}
}

func TestScalarsPrintNothing(t *testing.T) {
	s := randomScalars(t, "print", 1)[0]
	text, err := json.Marshal(map[string]any{"s": s, "p": &s})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s)
	for _, out := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %x %d %q", s, &s, s, s, s, s), string(text), log.String(),
	} {
		if !strings.Contains(out, secretText) || strings.Contains(out, fmt.Sprintf("%x", s.Bytes()[:4])) {
			t.Errorf("printed %s", out)
		}
	}
}
