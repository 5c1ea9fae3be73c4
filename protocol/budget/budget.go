// Package budget adds up what members of a federation may ask of the custodians of its
// pseudonym key, and what they have asked: a pure fold over grants and spends in the
// ledger's order, the same for whoever replays them. (SPEC "What the ledger admits".)
//
// A budget belongs to one member, one kind of indicator and one key period. A spend
// deducts a whole size class, is refused as a whole if the rest does not cover it, and
// counts towards the day of the ledger's clock on which it stands. It promises that no
// order of grants and spends brings a balance below zero or over its bounds. What it does
// not: that custodians serve only what was spent, which they look up here.
package budget

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// Account names one budget.
type Account struct {
	Member string
	Kind   string // of indicators
	Period uint64 // key period of the custodians
}

// Balance is the state of one account, in items.
type Balance struct {
	Granted uint64
	Spent   uint64 // at most Granted
	Daily   uint64 // at most so many on one day; 0 is no bound but the rest
	Day     int64  // of the last spend, in days since 1970 by the ledger's clock
	Today   uint64 // spent on that day
}

// Left is what can still be spent on a day.
func (b Balance) Left(day int64) uint64 {
	left := b.Granted - b.Spent
	if b.Daily == 0 {
		return left
	}
	today := b.Today
	if b.Day != day {
		today = 0
	}
	if today >= b.Daily { // a later grant may have lowered it
		return 0
	}
	return min(left, b.Daily-today)
}

// MaxGranted bounds what one account is granted in all.
const MaxGranted = 1 << 50

// ErrOverBudget says that a spend is more than is left.
var ErrOverBudget = errors.New("more than the budget has left")

// Book holds every account that was ever granted anything. Not for several goroutines.
type Book struct{ accounts map[Account]Balance }

// New returns a book without accounts.
func New() *Book { return &Book{accounts: map[Account]Balance{}} }

// Grant adds items to an account and sets its daily bound.
func (b *Book) Grant(a Account, items, daily uint64) error {
	old := b.accounts[a]
	if items == 0 || items > MaxGranted || old.Granted > MaxGranted-items {
		return fmt.Errorf("grant a budget: %d items to %d are out of range", items, old.Granted)
	}
	old.Granted += items
	old.Daily = daily
	b.accounts[a] = old
	return nil
}

// Covers reports whether a spend on that day would be covered. errors.Is ErrOverBudget.
func (b *Book) Covers(a Account, items uint64, day int64) error {
	balance, ok := b.accounts[a]
	if !ok {
		return fmt.Errorf("%w: none was granted to %s for %s in key period %d", ErrOverBudget, a.Member, a.Kind, a.Period)
	}
	if left := balance.Left(day); items == 0 || items > left {
		return fmt.Errorf("%w: %s asks %d of %d for %s in key period %d", ErrOverBudget, a.Member, items, left, a.Kind, a.Period)
	}
	return nil
}

// Spend deducts items on a day, or nothing. errors.Is ErrOverBudget.
func (b *Book) Spend(a Account, items uint64, day int64) error {
	if err := b.Covers(a, items, day); err != nil {
		return err
	}
	balance := b.accounts[a]
	if balance.Day != day {
		balance.Day, balance.Today = day, 0
	}
	balance.Spent += items
	balance.Today += items
	b.accounts[a] = balance
	return nil
}

// Clone returns a book that goes on from here by itself.
func (b *Book) Clone() *Book { return &Book{accounts: maps.Clone(b.accounts)} }

// Drop ends the accounts of a member that left: who comes under its id later is another.
func (b *Book) Drop(member string) {
	maps.DeleteFunc(b.accounts, func(a Account, _ Balance) bool { return a.Member == member })
}

// Balance returns the state of an account; zeros if nothing was granted.
func (b *Book) Balance(a Account) Balance { return b.accounts[a] }

// All returns the accounts by member, kind and period.
func (b *Book) All() iter.Seq2[Account, Balance] {
	return func(yield func(Account, Balance) bool) {
		keys := slices.SortedFunc(maps.Keys(b.accounts), func(a, o Account) int {
			return cmp.Or(cmp.Compare(a.Member, o.Member), cmp.Compare(a.Kind, o.Kind), cmp.Compare(a.Period, o.Period))
		})
		for _, k := range keys {
			if !yield(k, b.accounts[k]) {
				return
			}
		}
	}
}
