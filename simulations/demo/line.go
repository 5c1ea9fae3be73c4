package demo

import (
	"context"
	"crypto/sha256"

	"entente/protocol/indicator"
)

// control is a number on no list. The story writes it into its own recording to show
// that the search finds what is there.
const control = "+447700900999"

// found is what a search saw: how many listed values stand in the bytes, and in how
// many places the control value does.
type found struct{ listed, control int }

// search looks for every listed value and for the control value.
func (s *story) search(pieces [][]byte) (found, error) {
	if s.hunt == nil {
		values, err := allListed()
		if err != nil {
			return found{}, err
		}
		v, _, err := indicator.Parse(indicator.Phone, control, indicator.Defaults{})
		if err != nil {
			return found{}, err
		}
		s.hunt, s.values = newHunt(append(values, listed{v, control})), len(values)
	}
	places := s.hunt.in(pieces)
	f := found{control: places[s.values]}
	delete(places, s.values)
	f.listed = len(places)
	return f, nil
}

// line searches the recording of all rounds with Indonesia, before and after the
// control value is written into it.
func (s *story) line(context.Context) error {
	recorded := s.recorder.with(id)
	before, err := s.search(recorded)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(control))
	s.recorder.plant(id, append([]byte(control), hash[:]...))
	after, err := s.search(s.recorder.with(id))
	if err != nil {
		return err
	}
	readable := contains(recorded, purpose) && contains(recorded, basisOf(id)) && contains(recorded, "phone")
	s.check("the recording is at least as long as the main round's receipt says", true, uint64(size(recorded)) >= s.round.Sent+s.round.Received)
	s.check("kind, purpose and legal basis are readable in it", true, readable)
	s.check("listed values in it", 0, before.listed)
	s.check("places of the control value before it is written in", 0, before.control)
	s.check("places of the control value after it is written in", 2, after.control)
	s.check("listed values in it after that", 0, after.listed)
	s.screen.say("The line between two nodes is encrypted. Suppose that somebody breaks that, or is the partner: does any listed "+
		"number stand in what is sent? Australia's node has recorded every byte of its three rounds with Indonesia, both "+
		"ways, before the encryption: %s.", bytesText(int64(size(recorded))))
	s.screen.item("looked for", "%d entries of all lists, in %d forms: as written, as digits, in the common form, and as the "+
		"usual fingerprints (SHA-256, SHA-1, MD5), which anybody can compute for every number there is", s.values, s.hunt.forms)
	s.screen.item("found", "%s of them", few(before.listed))
	s.screen.item("search tested", "a number on no list and its fingerprint were then written into the recording, 2 places: "+
		"found in %s; before that in %s", few(after.control), few(before.control))
	s.screen.item("can be read", "who speaks with whom, kind of entries, purpose, legal basis, sizes rounded up")
	s.screen.say("What this version does not prevent: Indonesia could put guessed numbers on its own list and see which of them " +
		"are hits, up to the daily limit. The inputs are not yet hardened against that. So: trial data only.")
	return nil
}
