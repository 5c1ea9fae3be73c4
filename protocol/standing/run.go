package standing

import (
	"encoding/binary"
	"fmt"
	"iter"

	"entente/crypto/sign"
	"entente/crypto/transcript"
	"entente/protocol/tags"
	"entente/protocol/wire"
)

const (
	domainRun sign.Domain = "entente/standing/run/1"

	labelPublication = "entente/standing/publication/1"
	labelBlock       = "entente/standing/block/1"
	labelRun         = "entente/standing/run/1"
)

// RunHeader is what a holder signs of a run.
type RunHeader struct {
	_          struct{} `codec:",toarray"`
	Version    uint16
	Agreement  [32]byte
	Feed       uint8
	Index      uint32   // tag period
	Number     uint32   // from 1, without gaps
	Additions  uint32   // size class
	Tombstones uint32   // size class
	Digest     [32]byte // chain digest after the run
}

// Publishing returns the mark of a publication of class tags before its first block.
func Publishing(agreement [32]byte, feed uint8, index, class uint32) Mark {
	be := binary.BigEndian
	return Mark{Digest: transcript.Digest(labelPublication, agreement[:], []byte{feed},
		be.AppendUint32(nil, index), be.AppendUint32(nil, class))}
}

// AfterBlock returns the mark after one more block of the publication.
func (m Mark) AfterBlock(block []Tag) Mark {
	m.Digest = transcript.Digest(labelBlock, m.Digest[:], listBytes(block))
	m.Living += uint32(len(block))
	return m
}

// AfterRun returns the mark after the next run, whose lists are checked already.
func (m Mark) AfterRun(additions, tombstones []Tag) Mark {
	m.Run++
	m.Digest = transcript.Digest(labelRun, m.Digest[:], binary.BigEndian.AppendUint32(nil, m.Run),
		listBytes(additions), listBytes(tombstones))
	m.Living += uint32(len(additions)) - uint32(len(tombstones))
	m.Removed += uint32(len(tombstones))
	return m
}

// listBytes are the tags one after the other.
func listBytes(list []Tag) []byte {
	b := make([]byte, 0, len(list)*TagSize)
	for _, t := range list {
		b = append(b, t[:]...)
	}
	return b
}

// Published returns the mark after a whole publication of class tags, which a holder needs
// before it signs the period. It refuses a list that an asker would refuse.
func Published(agreement [32]byte, feed uint8, index, class uint32, list iter.Seq2[Tag, error]) (Mark, error) {
	m := Publishing(agreement, feed, index, class)
	for b, err := range blocks(list, class, m, 0) {
		if err != nil {
			return m, fmt.Errorf("digest publication: %w", err)
		}
		m = b.Mark
	}
	return m, nil
}

// blocks cuts a list of class tags, from the first tag of a block on, into blocks. m is the
// mark before. It fails on a list that is not what it should be.
func blocks(list iter.Seq2[Tag, error], class uint32, m Mark, first uint32) iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		b := Block{Index: first, Mark: m}
		for t, err := range tags.Ascending(list) {
			switch {
			case err != nil:
			case b.Mark.Living+uint32(len(b.Tags)) == class:
				err = fmt.Errorf("more than the %d tags announced", class)
			}
			if err != nil {
				yield(Block{}, err)
				return
			}
			if b.Tags == nil {
				b.Tags = make([]Tag, 0, BlockTags)
			}
			b.Tags = append(b.Tags, t)
			after := b.Mark.Living + uint32(len(b.Tags))
			if len(b.Tags) < BlockTags && after < class {
				continue
			}
			b.Mark, b.Last = b.Mark.AfterBlock(b.Tags), after == class
			if !yield(b, nil) {
				return
			}
			b = Block{Index: b.Index + 1, Mark: b.Mark}
		}
		if b.Mark.Living != class {
			yield(Block{}, fmt.Errorf("%d of the %d tags announced", b.Mark.Living+uint32(len(b.Tags)), class))
		}
	}
}

// SignRun signs the next run after a mark and returns the mark after it. Both lists are
// strictly ascending, of size classes (PlanRun) and without a tag in common.
func SignRun(s Session, index uint32, before Mark, additions, tombstones []Tag) (Run, Mark, error) {
	r := Run{Additions: additions, Tombstones: tombstones}
	after := before.AfterRun(additions, tombstones)
	r.Header = RunHeader{
		Version: Version, Agreement: s.Agreement, Feed: s.Feed, Index: index, Number: after.Run,
		Additions: uint32(len(additions)), Tombstones: uint32(len(tombstones)), Digest: after.Digest,
	}
	err := r.Header.check(&s, index, before)
	if err == nil {
		_, err = r.apply(before)
	}
	if err != nil {
		return r, before, fmt.Errorf("sign run: %w", err)
	}
	r.Signed, err = signed(s.Key, domainRun, r.Header)
	return r, after, err
}

// OpenRun verifies the holder's signature over a run's header and decodes it. What it says
// is checked against a mark in the course of a sync.
func OpenRun(peer *sign.PublicKey, r Run) (RunHeader, error) {
	var h RunHeader
	if err := open(peer, domainRun, r.Signed, &h); err != nil {
		return h, fmt.Errorf("run: %w", err)
	}
	return h, nil
}

// check refuses a header that cannot be the next one after a mark. That comes before any
// tag of the run is read.
func (h *RunHeader) check(s *Session, index uint32, before Mark) error {
	additions, tombstones := int(h.Additions), int(h.Tombstones)
	switch {
	case h.Version != Version:
		return fault(wire.UnsupportedVersion, "the run has version %d", h.Version)
	case h.Agreement != s.Agreement, h.Feed != s.Feed, h.Index != index:
		return fault(wire.Altered, "the run belongs to another feed or tag period")
	case h.Number <= before.Run:
		return fault(wire.Replayed, "run %d came after run %d", h.Number, before.Run)
	case h.Number != before.Run+1:
		return fault(wire.Malformed, "run %d came after run %d", h.Number, before.Run)
	case additions > MaxRun, tombstones > MaxRun, h.Number > MaxRuns:
		return fault(wire.TooLarge, "run %d has %d additions and %d tombstones", h.Number, additions, tombstones)
	case !wire.IsSizeClass(additions), !wire.IsSizeClass(tombstones):
		return fault(wire.Malformed, "the lists of run %d are not of size classes", h.Number)
	case h.Tombstones > before.Living:
		return fault(wire.Malformed, "run %d removes more than there is", h.Number)
	case uint64(before.Removed)+uint64(h.Tombstones) > s.MostRemoved():
		return fault(wire.Quota, "after run %d more tags were removed than a tag period has room for", h.Number)
	case before.Living-h.Tombstones+h.Additions > s.Tags:
		return fault(wire.Quota, "after run %d there are more tags than agreed", h.Number)
	}
	return nil
}

// MostRemoved bounds the tombstones of a tag period: every tag once, and the smallest list
// for each run at the cadence and a thousand besides. Whoever keeps the runs keeps no more.
func (s *Session) MostRemoved() uint64 {
	return uint64(s.Tags) + MinDummies*(uint64(s.PeriodSeconds/max(s.Cadence, 1))+plannedRuns)
}

// apply checks the run's lists, whose lengths are those of the header, and returns the mark
// after it. What depends on the set is the cache's to check.
func (r *Run) apply(before Mark) (Mark, error) {
	for _, list := range [][]Tag{r.Additions, r.Tombstones} {
		if !tags.Ascends(nil, list) {
			return before, fault(wire.Malformed, "tags of run %d do not ascend", r.Header.Number)
		}
	}
	for a, t := 0, 0; a < len(r.Additions) && t < len(r.Tombstones); {
		switch c := tags.Compare(r.Additions[a], r.Tombstones[t]); {
		case c == 0:
			return before, fault(wire.Malformed, "run %d adds and removes the same tag", r.Header.Number)
		case c < 0:
			a++
		default:
			t++
		}
	}
	after := before.AfterRun(r.Additions, r.Tombstones)
	if after.Digest != r.Header.Digest {
		return before, fault(wire.Altered, "the lists of run %d are not those that were signed", r.Header.Number)
	}
	return after, nil
}

// CheckMember is the rule of Cache.Apply for one tag of a run: an addition must not be in
// the set before the run, a tombstone must be.
func CheckMember(number uint32, addition, inSet bool) error {
	switch {
	case addition && inSet:
		return fault(wire.Malformed, "run %d adds a tag that is there already", number)
	case !addition && !inSet:
		return fault(wire.Malformed, "run %d removes a tag that is not there", number)
	}
	return nil
}
