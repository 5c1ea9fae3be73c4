package node_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"entente/node/rounds"
	"entente/node/standing"
)

// Many standing rounds with one partner add up against the rules' limit: the pilot's 250,000
// items are not 250,000 for each.
func TestStandingRoundsAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, au, id := distant(t, near)
		ask := func(m *member, partner string) error {
			_, err := m.Standing().Subscribe(t.Context(), standing.Request{Partner: partner, Lists: []string{"wanted"},
				Purpose: "trafficking", Learn: "us", Every: every, Period: 7 * every, Questions: 131_072})
			return err
		}
		if err := ask(au, "ID"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		var denied *rounds.DeniedError
		if err := ask(au, "ID"); !errors.As(err, &denied) {
			t.Errorf("the own rules allow a second one: %v", err)
		}
		// The partner's rules count as well, whoever proposes.
		if err := ask(id, "AU"); !errors.As(err, &denied) {
			t.Errorf("the other side proposes a second one: %v", err)
		}
		all, err := id.Standing().List(t.Context())
		if err != nil || len(all) != 1 {
			t.Errorf("%d standing rounds: %v", len(all), err)
		}
	})
}
