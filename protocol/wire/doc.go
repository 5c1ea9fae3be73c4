// Package wire turns messages into bytes and bytes into frames on a stream.
//
// A message is canonical CBOR (RFC 8949 section 4.2.1, without maps, floats, tags,
// null and indefinite lengths): the array of the fields of one struct. A frame is
//
//	kind (1 byte) | length of the body (4 bytes, big endian) | body
//
// where the body is one message, or bulk bytes of a layout that the kind fixes.
//
// Receiving goes: cap of the kind, before a byte is allocated → [Scan] → the item must
// have the shape of the Go type, and the memory it will take stays in proportion to its
// length → decode → encode again, which must give the bytes received. So one value has
// one encoding, and a signature over received bytes is a signature over the value.
//
// Against a peer that sends anything whatever this promises: no panic, memory in
// proportion to the bytes that really came, and errors that never repeat their content.
// It promises no secrecy, no authenticity and no deadlines: those are the channel's.
package wire
