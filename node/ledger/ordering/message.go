package ordering

import (
	"time"

	"github.com/hashicorp/raft"

	"entente/protocol/wire"
)

// Kinds of frames. A request is one frame, its answer one frame or an Error frame; only a
// snapshot is followed by parts, once the receiver has asked for them.
const (
	kindAppend wire.Kind = iota + 1
	kindVote
	kindPreVote
	kindSnapshot
	kindTimeout
	kindAppended
	kindVoted
	kindPreVoted
	kindInstalled
	kindTimedOut
	kindProceed
	kindPart
)

// Limits of messages. An append is one frame; longer ones go as several, so that a frame
// bounds what a receiver holds for one request.
const (
	maxMember         = 64
	maxEntries        = 256 // in one request
	maxConfigurations = 2   // in one request: converting one costs far more than its bytes
	maxServers        = 32  // in one configuration
	entryOverhead     = 64  // bytes of an entry besides its content, at most
	messageOverhead   = 512 // bytes of an append without its entries, at most
	maxSmall          = 512 // bytes of a message without entries or configuration
	maxPart           = 256 << 10

	// MaxEntry is how many bytes of data and extensions an entry of the log may have.
	MaxEntry = wire.MaxChunk - messageOverhead - entryOverhead
)

// header says who sends a message. Raft's deprecated fields for that, leader and candidate,
// stay empty: it reads them only if these are, so nobody can name another there.
type header struct {
	_       struct{} `codec:",toarray"`
	Version uint8
	ID      string
	Address string
}

// entry is a raft.Log, on the wire and on disk. On the wire the data of a configuration are
// those of our own configuration: raft panics over msgpack that is none.
type entry struct {
	_          struct{} `codec:",toarray"`
	Index      uint64
	Term       uint64
	Type       uint8
	Data       []byte
	Extensions []byte
	AppendedAt int64 // Unix nanoseconds; 0 is unknown
}

type server struct {
	_        struct{} `codec:",toarray"`
	Suffrage uint8
	ID       string
	Address  string
}

type configuration struct {
	_       struct{} `codec:",toarray"`
	Servers []server
}

type appendMessage struct {
	_            struct{} `codec:",toarray"`
	Header       header
	Term         uint64
	PreviousLog  uint64
	PreviousTerm uint64
	Commit       uint64
	Entries      []entry
}

type voteMessage struct {
	_        struct{} `codec:",toarray"`
	Header   header
	Term     uint64
	LastLog  uint64
	LastTerm uint64
	Transfer bool
}

type preVoteMessage struct {
	_        struct{} `codec:",toarray"`
	Header   header
	Term     uint64
	LastLog  uint64
	LastTerm uint64
}

type snapshotMessage struct {
	_                  struct{} `codec:",toarray"`
	Header             header
	Term               uint64
	LastLog            uint64
	LastTerm           uint64
	Configuration      configuration
	ConfigurationIndex uint64
	Size               int64
}

type timeoutMessage struct {
	_      struct{} `codec:",toarray"`
	Header header
}

type appendedMessage struct {
	_              struct{} `codec:",toarray"`
	Header         header
	Term           uint64
	LastLog        uint64
	Success        bool
	NoRetryBackoff bool
}

type votedMessage struct {
	_       struct{} `codec:",toarray"`
	Header  header
	Term    uint64
	Granted bool
}

type installedMessage struct {
	_       struct{} `codec:",toarray"`
	Header  header
	Term    uint64
	Success bool
}

type timedOutMessage struct {
	_      struct{} `codec:",toarray"`
	Header header
}

type proceedMessage struct {
	_    struct{} `codec:",toarray"`
	Size int64
}

// requestLimit states which kinds open a request, and their sizes.
func requestLimit(k wire.Kind) (uint32, bool) {
	switch k {
	case kindAppend:
		return wire.MaxChunk, true
	case kindVote, kindPreVote, kindTimeout:
		return maxSmall, true
	case kindSnapshot:
		return maxSmall + maxServers*(2*maxMember+16), true
	}
	return 0, false
}

func fromHeader(h raft.RPCHeader) header {
	return header{Version: uint8(h.ProtocolVersion), ID: string(h.ID), Address: string(h.Addr)}
}

func toHeader(h header) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(h.Version), ID: []byte(h.ID), Addr: []byte(h.Address)}
}

func fromLog(l *raft.Log) entry {
	e := entry{Index: l.Index, Term: l.Term, Type: uint8(l.Type), Data: l.Data, Extensions: l.Extensions}
	if !l.AppendedAt.IsZero() {
		e.AppendedAt = l.AppendedAt.UnixNano()
	}
	return e
}

func toLog(e *entry) raft.Log {
	l := raft.Log{Index: e.Index, Term: e.Term, Type: raft.LogType(e.Type), Data: e.Data, Extensions: e.Extensions}
	if e.AppendedAt != 0 {
		l.AppendedAt = time.Unix(0, e.AppendedAt).UTC()
	}
	return l
}
