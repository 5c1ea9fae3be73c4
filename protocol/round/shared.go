package round

// MaxSkew is how many milliseconds the clocks of two sides may differ.
const MaxSkew = maxSkew

// PlainText accepts 1 to 64 bytes of printing UTF-8: what people of both sides read, such
// as purposes and legal bases.
func PlainText(s string) bool { return text(s, 1) }
