package store

import "fmt"

// RoundStates counts the rounds by their states. It opens nothing that is sealed.
func (t *Tx) RoundStates() (map[string]int64, error) {
	return t.states("SELECT state, count(*) FROM rounds GROUP BY state")
}

// SubscriptionStates counts the subscriptions by their states. It opens nothing that is
// sealed.
func (t *Tx) SubscriptionStates() (map[string]int64, error) {
	return t.states("SELECT state, count(*) FROM subscriptions GROUP BY state")
}

func (t *Tx) states(query string) (map[string]int64, error) {
	out := map[string]int64{}
	err := t.rows(query, nil, func(scan func(...any) error) error {
		var state string
		var n int64
		err := scan(&state, &n)
		out[state] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count states: %w", err)
	}
	return out, nil
}
