package standing

import "entente/protocol/tags"

// TagSize is the length of a tag in bytes.
const TagSize = tags.Size

// Tag is what stands for an item in a published set.
type Tag = tags.Tag
