package adversary

import (
	"context"
	"errors"
	"testing"

	"entente/protocol/standing"
	"entente/protocol/wire"
)

// TestNothingIsEvaluatedOverTheQuota counts what B evaluates, whatever A tries and however
// often: every answer belongs to a place of the quota.
func TestNothingIsEvaluatedOverTheQuota(t *testing.T) {
	s := Settings{Guesses: 5000, Held: 400, Quota: 1536, Seed: 9}
	d := newTestDuel(t, s)
	ctx := t.Context()
	for i, step := range []struct {
		conduct conduct
		code    wire.Code
		used    uint32
		refused uint32
		next    uint32 // answers that A holds
	}{
		{broken, 0, 1024, 0, 0},
		{broken, 0, 1024, 0, 0}, // again: the stored answer, no place more
		{other, wire.Replayed, 1024, 0, 0},
		{within, 0, 1536, 0, 2},
		{within, 0, 1536, 0, 2},
		{over, wire.Quota, 1536, 1, 2},
		{over, wire.Quota, 1536, 2, 2},
		{within, 0, 1536, 2, 2},
	} {
		code, err := d.sync(ctx, step.conduct)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		a := d.b.account
		if code != int(step.code) || a.Used != step.used || a.Refused != step.refused || d.a.next != step.next {
			t.Errorf("step %d: code %d, %d places, %d refused, %d answers; want %+v", i, code, a.Used, a.Refused, d.a.next, step)
		}
	}
	if want := plainIntersection(s, s.Quota); len(d.a.named) != want {
		t.Errorf("A names %d items, want %d", len(d.a.named), want)
	}
	if d.b.receipts == 0 {
		t.Error("A signed no receipt")
	}
}

// TestRefusalOvertakes goes over the quota in the sync that still has answers under way: A
// must get them later, without a place more.
func TestRefusalOvertakes(t *testing.T) {
	s := Settings{Guesses: 20_000, Held: 500, Quota: 4096, Seed: 3}
	d := newTestDuel(t, s)
	if code, err := d.sync(t.Context(), over); err != nil || code != int(wire.Quota) {
		t.Fatalf("code %d: %v", code, err)
	}
	if code, err := d.sync(t.Context(), within); err != nil || code != 0 {
		t.Fatalf("code %d: %v", code, err)
	}
	if want := plainIntersection(s, s.Quota); len(d.a.named) != want || d.b.account.Used != uint32(s.Quota) || d.b.account.Refused != 1 {
		t.Errorf("%d items, want %d; account %+v", len(d.a.named), want, d.b.account)
	}
}

// TestPeriodEnds: the books of a tag period are no help after it.
func TestPeriodEnds(t *testing.T) {
	d := newTestDuel(t, small(1))
	d.now = began().Add(periodDays * day)
	if _, err := d.sync(t.Context(), within); err != nil {
		t.Fatal(err)
	}
	if d.b.account.Used != 0 || len(d.a.named) != 0 {
		t.Errorf("%d places were charged after the end", d.b.account.Used)
	}
}

func TestGuesserKeepsToItsList(t *testing.T) {
	d := newTestDuel(t, small(1))
	if err := d.a.Apply(t.Context(), standing.Run{}, standing.Mark{}); err == nil {
		t.Error("a run was applied")
	}
	if err := d.a.Answered(t.Context(), 1, 0, nil); err == nil {
		t.Error("an answer to nothing was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.sync(ctx, within); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled sync ended with %v", err)
	}
}
