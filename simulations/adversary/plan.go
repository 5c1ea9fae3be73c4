package adversary

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"entente/protocol/standing"
)

// kind is that of all numbers, with the version of its canonical form.
const (
	kind        = "phone"
	kindVersion = 1
)

// plan is a numbering plan with B's list, and the order in which A guesses.
type plan struct {
	Settings
	listed []bool // by number
	list   []int
	order  []int // all numbers; independent of the list
}

func newPlan(s Settings) *plan {
	p := &plan{Settings: s, listed: make([]bool, s.Guesses)}
	p.list = p.random("list").Perm(s.Guesses)[:s.Held:s.Held]
	for _, n := range p.list {
		p.listed[n] = true
	}
	p.order = p.random("order").Perm(s.Guesses)
	return p
}

// chance that one number of the plan is listed.
func (s Settings) chance() float64 { return float64(s.Held) / float64(s.Guesses) }

// secret derives 32 bytes for one purpose from the seed. In a run that must be repeatable
// this stands for the system's random numbers.
func (s Settings) secret(purpose string, index uint32) [32]byte {
	b := append([]byte("entente/simulations/filter-sweep/1/"), purpose...)
	b = binary.BigEndian.AppendUint64(b, s.Seed)
	return sha256.Sum256(binary.BigEndian.AppendUint32(b, index))
}

func (s Settings) random(purpose string) *rand.Rand {
	return rand.New(rand.NewChaCha8(s.secret(purpose, 0)))
}

// text is a number of the plan in E.164 form, under a country code that the ITU keeps in
// reserve: nobody has it.
func text(n int) string { return fmt.Sprintf("+9997%07d", n) }

// element is what enters matching: the form byte of canonical values, then the text.
func element(n int) []byte { return append([]byte{1}, text(n)...) }

func item(n int) standing.Item {
	return standing.Item{Kind: kind, Version: kindVersion, Element: element(n)}
}
