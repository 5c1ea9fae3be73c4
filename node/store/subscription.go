package store

import (
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Subscription is one lasting agreement with a partner as its side keeps it. What Record
// and Secret hold is the business of node/standing; both are sealed, and Secret is never
// in a backup.
type Subscription struct {
	ID       [16]byte
	Partner  string
	Proposer bool // this side proposed it
	State    string
	Created  time.Time
	Updated  time.Time
	Expires  time.Time
	Next     time.Time // when its next run is due; zero: none is
	// Over says that nothing follows the log of changes for it any more. Changes are
	// logged only while there is a subscription that is not over: see Touched.
	Over bool
	// Restored says that the subscription came back from a backup: its secret, its
	// standing records and its segments are gone for good.
	Restored bool
	Record   []byte
	Secret   []byte // used by this subscription alone; empty: none
}

// String hides record and secret.
func (s Subscription) String() string { return fmt.Sprintf("[subscription %x]", s.ID) }

// Format prints String, whatever the verb.
func (s Subscription) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue logs String.
func (s Subscription) LogValue() slog.Value { return slog.StringValue(s.String()) }

// PutSubscription stores a subscription as it is given, in place of what was stored under
// its ID. An empty Secret destroys the stored one.
func (t *Tx) PutSubscription(s Subscription) error {
	sealed := t.store.keys.column.Seal(s.Record, place("subscriptions", "sealed", s.ID[:]))
	_, err := t.exec(`INSERT INTO subscriptions (id, partner, proposer, state, created, updated, expires, next, over, restored, sealed)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET partner = excluded.partner, proposer = excluded.proposer, state = excluded.state,
		created = excluded.created, updated = excluded.updated, expires = excluded.expires, next = excluded.next,
		over = excluded.over, restored = excluded.restored, sealed = excluded.sealed`,
		s.ID[:], s.Partner, flag(s.Proposer), s.State, millis(s.Created), millis(s.Updated), millis(s.Expires),
		millis(s.Next), flag(s.Over), flag(s.Restored), sealed)
	if err != nil {
		return fmt.Errorf("put subscription: %w", err)
	}
	if len(s.Secret) == 0 {
		return t.DropSubscriptionSecret(s.ID)
	}
	sealed = t.store.keys.column.Seal(s.Secret, place("subscription_secrets", "sealed", s.ID[:]))
	_, err = t.exec(`INSERT INTO subscription_secrets (subscription, sealed) VALUES (?, ?)
		ON CONFLICT (subscription) DO UPDATE SET sealed = excluded.sealed`, s.ID[:], sealed)
	if err != nil {
		return fmt.Errorf("put subscription: %w", err)
	}
	return nil
}

const subscriptionQuery = `SELECT a.id, a.partner, a.proposer, a.state, a.created, a.updated, a.expires, a.next,
	a.over, a.restored, a.sealed, s.subscription IS NOT NULL, s.sealed
	FROM subscriptions a LEFT JOIN subscription_secrets s ON s.subscription = a.id`

// Subscription returns one subscription with its secret. errors.Is ErrNotFound.
func (t *Tx) Subscription(id [16]byte) (Subscription, error) {
	s, err := t.scanSubscription(func(into ...any) error {
		return t.row(subscriptionQuery+" WHERE a.id = ?", []any{id[:]}, into...)
	})
	if err != nil {
		return Subscription{}, fmt.Errorf("read subscription: %w", err)
	}
	return s, nil
}

// Subscriptions returns all subscriptions with their secrets, oldest first.
func (t *Tx) Subscriptions() ([]Subscription, error) {
	var out []Subscription
	err := t.rows(subscriptionQuery+" ORDER BY a.created, a.id", nil, func(scan func(...any) error) error {
		s, err := t.scanSubscription(scan)
		out = append(out, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	return out, nil
}

func (t *Tx) scanSubscription(scan func(...any) error) (Subscription, error) {
	var s Subscription
	var id, record, secret []byte
	var created, updated, expires, next int64
	var secretive bool
	err := scan(&id, &s.Partner, &s.Proposer, &s.State, &created, &updated, &expires, &next,
		&s.Over, &s.Restored, &record, &secretive, &secret)
	if err != nil {
		return Subscription{}, err
	}
	if len(id) != len(s.ID) {
		return Subscription{}, fmt.Errorf("%w: a subscription's identifier has %d bytes", ErrDamaged, len(id))
	}
	copy(s.ID[:], id)
	s.Created, s.Updated, s.Expires, s.Next = moment(created), moment(updated), moment(expires), moment(next)
	if s.Record, err = unseal(t.store.keys.column, record, "subscriptions", "sealed", id); err != nil {
		return Subscription{}, err
	}
	if secretive {
		if s.Secret, err = unseal(t.store.keys.column, secret, "subscription_secrets", "sealed", id); err != nil {
			return Subscription{}, err
		}
	}
	return s, nil
}

// DropSubscriptionSecret destroys a subscription's secret. One that is not there is no error.
func (t *Tx) DropSubscriptionSecret(id [16]byte) error {
	n, err := t.exec("DELETE FROM subscription_secrets WHERE subscription = ?", id[:])
	if err != nil {
		return fmt.Errorf("drop the secret of a subscription: %w", err)
	}
	t.erased = t.erased || n > 0
	return nil
}
