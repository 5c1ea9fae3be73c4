package standing

import (
	"encoding/binary"

	"entente/protocol/tags"
	"entente/protocol/wire"
)

const (
	indexSize = 4 // bytes of the index before each block

	// maxBlock is the longest body with a block of a publication, in bytes: that of 4,096
	// tags out of 4,096.
	maxBlock = indexSize + (BlockTags*(1+68)+4*BlockTags+512+7)/8
	// maxTags is the longest body with tags of a run, in bytes.
	maxTags = indexSize + BlockTags*TagSize
)

// blocksOf returns how many blocks a list of n tags has.
func blocksOf(n uint32) uint32 { return (n + BlockTags - 1) / BlockTags }

// tagsIn returns how many tags block i of a list of n holds.
func tagsIn(n, i uint32) int { return int(min(BlockTags, n-i*BlockTags)) }

// encodeBlock encodes a block of a publication. before is the last tag before it.
func encodeBlock(c tags.Code, index uint32, before *Tag, list []Tag) ([]byte, error) {
	return c.AppendBlock(binary.BigEndian.AppendUint32(nil, index), before, list)
}

// decodeBlock decodes the next block of a publication: index and number of tags are known.
func decodeBlock(c tags.Code, body []byte, index uint32, before *Tag, count int) ([]Tag, error) {
	if err := checkIndex(body, index); err != nil {
		return nil, err
	}
	return c.DecodeBlock(nil, before, count, body[indexSize:])
}

// encodeTags encodes a part of a run's list. All tags take the same space there, so that the
// length says nothing but the number.
func encodeTags(index uint32, list []Tag) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, indexSize+len(list)*TagSize), index)
	for i := range list {
		b = append(b, list[i][:]...)
	}
	return b
}

// decodeTags decodes the next part of a run's list: index and number of tags are known.
func decodeTags(body []byte, index uint32, before *Tag, count int) ([]Tag, error) {
	if err := checkIndex(body, index); err != nil {
		return nil, err
	}
	if len(body) != indexSize+count*TagSize {
		return nil, fault(wire.Malformed, "a block of %d bytes for %d tags", len(body), count)
	}
	list := make([]Tag, count)
	for i := range list {
		list[i] = Tag(body[indexSize+i*TagSize:])
	}
	if !tags.Ascends(before, list) {
		return nil, fault(wire.Malformed, "tags of block %d do not ascend", index)
	}
	return list, nil
}

func checkIndex(body []byte, want uint32) error {
	if len(body) < indexSize {
		return fault(wire.Malformed, "a block of %d bytes", len(body))
	}
	if got := binary.BigEndian.Uint32(body); got != want {
		return fault(wire.Malformed, "block %d came when %d was due", got, want)
	}
	return nil
}
