package policy

import "testing"

func TestLearnerText(t *testing.T) {
	for _, l := range []Learner{Us, Partner} {
		b, err := l.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var got Learner
		if err := got.UnmarshalText(b); err != nil || got != l {
			t.Errorf("%s comes back as %s, %v", l, got, err)
		}
	}
	var l Learner
	if l.UnmarshalText([]byte("nobody")) == nil {
		t.Error("nobody is no learner")
	}
}
