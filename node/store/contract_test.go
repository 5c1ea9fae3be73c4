package store

import (
	"entente/node/intake"
	"entente/protocol/exact"
)

// What other packages declare and this one provides.
var (
	_ intake.Sink   = (*Importer)(nil)
	_ exact.Journal = (*Journal)(nil)
)
