package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestNewSortsAndLimits(t *testing.T) {
	r := two(t)
	if r.Members[0].ID != "AU" || r.Members[1].ID != "ID" || r.Version != 1 {
		t.Errorf("roster is %v, version %d", []string{r.Members[0].ID, r.Members[1].ID}, r.Version)
	}
	again, err := New("bali", []Card{card(t, "AU", 1), card(t, "ID", 2)})
	if err != nil || again.Digest() != r.Digest() || again.Words() != r.Words() {
		t.Errorf("the order of cards changes the roster: %v", err)
	}
	var cards []Card
	for i := range 65 {
		cards = append(cards, card(t, fmt.Sprintf("M%d", i+10), byte(i+10)))
	}
	for n, good := range map[int]bool{0: false, 1: false, 2: true, 64: true, 65: false} {
		if _, err := New("bali", cards[:n]); (err == nil) != good {
			t.Errorf("roster of %d members: %v", n, err)
		}
	}
	bad := card(t, "AU", 1)
	bad.Member.Name = "Austria"
	if _, err := New("bali", []Card{bad, card(t, "ID", 2)}); err == nil {
		t.Error("a roster was made from a card whose signature is wrong")
	}
	if _, err := New("", cards[:2]); err == nil {
		t.Error("a roster was made without a name")
	}
}

func TestRosterValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Roster)
		want   string
	}{
		"as it is":       {func(*Roster) {}, ""},
		"version 0":      {func(r *Roster) { r.Version = 0 }, "version"},
		"name":           {func(r *Roster) { r.Name = " x" }, "space"},
		"order":          {func(r *Roster) { slices.Reverse(r.Members) }, "out of order"},
		"id twice":       {func(r *Roster) { r.Members[1].ID = "AU" }, "twice"},
		"bad member":     {func(r *Roster) { r.Members[1].Role = "" }, "role"},
		"transport key":  {func(r *Roster) { r.Members[1].Transport = r.Members[0].Transport }, "stands for AU"},
		"whole sign key": {func(r *Roster) { r.Members[1].Sign = r.Members[0].Sign }, "stands for AU"},
		"half sign key": {func(r *Roster) {
			r.Members[1].Sign = slices.Concat(r.Members[1].Sign[:32], r.Members[0].Sign[32:])
		}, "stands for AU"},
		"one key for two uses": {func(r *Roster) { r.Members[1].Transport = r.Members[1].Sign[:32] }, "stands for ID"},
	} {
		r := two(t)
		c.change(&r)
		err := r.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFind(t *testing.T) {
	r := two(t)
	if m, ok := r.Find("ID"); !ok || m.ID != "ID" {
		t.Errorf("Find(ID) = %v, %v", m.ID, ok)
	}
	if _, ok := r.Find("TH"); ok {
		t.Error("found a member that is not there")
	}
}

func TestSignRefusesOthersKeys(t *testing.T) {
	r := two(t)
	if _, err := r.Sign("AU", key(t, 2)); err == nil {
		t.Error("signed for AU with the key of ID")
	}
	if _, err := r.Sign("TH", key(t, 3)); err == nil {
		t.Error("signed for somebody who is not a member")
	}
	r.Members = r.Members[:1]
	if _, err := r.Sign("AU", key(t, 1)); err == nil {
		t.Error("signed a roster of one")
	}
}

func TestVerifyNamesWhoIsAmiss(t *testing.T) {
	r := two(t)
	au, id := signature(t, r, "AU", 1), signature(t, r, "ID", 2)
	if err := r.Verify([]Signature{id, au}); err != nil {
		t.Fatal(err)
	}
	other := two(t)
	other.Name = "other"
	stale := signature(t, other, "ID", 2)
	forged, swapped, foreign := id, id, id
	forged.Signature = slices.Clone(id.Signature)
	forged.Signature[len(forged.Signature)-1] ^= 1 // the ML-DSA half alone
	swapped.Signature = au.Signature
	foreign.Member = "TH"
	relabelled := stale
	relabelled.Roster = r.Digest()
	for name, c := range map[string]struct {
		given []Signature
		want  VerifyError
	}{
		"none":                  {nil, VerifyError{Missing: []string{"AU", "ID"}}},
		"one":                   {[]Signature{au}, VerifyError{Missing: []string{"ID"}}},
		"half forged":           {[]Signature{au, forged}, VerifyError{Wrong: []string{"ID"}}},
		"another's":             {[]Signature{au, swapped}, VerifyError{Wrong: []string{"ID"}}},
		"twice":                 {[]Signature{au, id, id}, VerifyError{Wrong: []string{"ID"}}},
		"stale":                 {[]Signature{au, stale}, VerifyError{Other: []string{"ID"}}},
		"stale, relabelled":     {[]Signature{au, relabelled}, VerifyError{Wrong: []string{"ID"}}},
		"foreign":               {[]Signature{au, id, foreign}, VerifyError{Foreign: []string{"TH"}}},
		"missing and foreign":   {[]Signature{id, foreign}, VerifyError{Missing: []string{"AU"}, Foreign: []string{"TH"}}},
		"foreign more than one": {[]Signature{au, id, foreign, foreign}, VerifyError{Foreign: []string{"TH"}}},
	} {
		var got *VerifyError
		if err := r.Verify(c.given); !errors.As(err, &got) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.Error() != c.want.Error() {
			t.Errorf("%s: %q, want %q", name, got, &c.want)
		}
	}
}

func TestVerifyChecksTheRosterToo(t *testing.T) {
	r := two(t)
	ss := []Signature{signature(t, r, "AU", 1), signature(t, r, "ID", 2)}
	r.Members[1].Addresses = []string{"nowhere"}
	var amiss *VerifyError
	if err := r.Verify(ss); err == nil || errors.As(err, &amiss) {
		t.Errorf("a roster with a bad address: %v", err)
	}
}
