package rounds

import (
	"time"

	"entente/protocol/terms"
)

// Request is what a focal point asks for.
type Request struct {
	Partner string        `json:"partner"`
	List    string        `json:"list"`
	Kind    string        `json:"kind"`
	Purpose string        `json:"purpose"`
	Learn   string        `json:"learn"`   // us, them or both
	Result  string        `json:"result"`  // which or count
	Expires time.Duration `json:"expires"` // until when the offer stands; zero is a day
	// Threshold is the score from which records are alike enough, and Model that of the faces to
	// compare, for kinds that are matched by similarity. Zero and empty: what the kind, the rules
	// or the list give.
	Threshold int    `json:"threshold,omitempty"`
	Model     string `json:"model,omitempty"`
}

// Learner names who learns something, seen from this side.
type Learns struct {
	Us   terms.Mode `json:"us"`
	Them terms.Mode `json:"them"`
}

// Plan says what a round will cost and reveal, before anything is sent.
type Plan struct {
	Partner      string         `json:"partner"`
	PartnerName  string         `json:"partner_name"`
	List         string         `json:"list"`
	Kind         string         `json:"kind"`
	Items        int64          `json:"items"`    // that would take part
	Excluded     map[string]int `json:"excluded"` // by reason
	Class        int            `json:"size_class"`
	Learns       Learns         `json:"learns"`
	Allowed      bool           `json:"allowed"` // by the own rules
	Grounds      []string       `json:"grounds"`
	PartnerRules string         `json:"partner_rules"`
	Bytes        int64          `json:"bytes"`
	Seconds      float64        `json:"seconds"` // computing time of both sides on one core each
	WrongHits    float64        `json:"expected_wrong_hits"`
	Used         int64          `json:"quota_used_today"` // items counted with this partner today
	Retention    uint32         `json:"retention_days"`
	Threshold    int            `json:"threshold,omitempty"`             // where records are matched by similarity
	Pairs        int64          `json:"pairs,omitempty"`                 // that would be compared, if the partner's list is as long
	PairsLeft    int64          `json:"pairs_left_this_month,omitempty"` // with this partner
	Warnings     []string       `json:"warnings"`
}

// View is a round as its own side may see it.
type View struct {
	ID           string    `json:"id"`
	Partner      string    `json:"partner"`
	Proposer     bool      `json:"proposer"`
	State        string    `json:"state"`
	Kind         string    `json:"kind"`
	Lists        []string  `json:"lists,omitempty"`
	Purpose      string    `json:"purpose"`
	Basis        string    `json:"basis,omitempty"`
	Threshold    int       `json:"threshold,omitempty"` // where records are matched by similarity
	Learns       Learns    `json:"learns"`
	Items        int64     `json:"items"`
	OwnClass     int       `json:"own_size_class"`
	PartnerClass int       `json:"partner_size_class,omitempty"`
	Hits         *int      `json:"hits,omitempty"`  // known only to a side that learns which
	Count        *string   `json:"count,omitempty"` // known only to a side that learns how many; "under 11" below 11
	Created      time.Time `json:"created"`
	Updated      time.Time `json:"updated"`
	Expires      time.Time `json:"expires"`
	Done         int64     `json:"done"` // progress, in the unit of Total
	Total        int64     `json:"total"`
	Sent         uint64    `json:"bytes_sent"`
	Received     uint64    `json:"bytes_received"`
	Agreement    string    `json:"agreement,omitempty"`
	Reason       string    `json:"reason,omitempty"`  // why it ended badly, in plain words
	Grounds      []string  `json:"grounds,omitempty"` // the own rules that decided; never leaves this side
	Note         string    `json:"note,omitempty"`    // what is happening or what to do
}

// Hit is one shared indicator, shown beside the own record only.
type Hit struct {
	Round         string `json:"round"`
	Position      int64  `json:"position"`
	Kind          string `json:"kind"`
	Value         string `json:"value"`    // canonical
	Original      string `json:"original"` // as it stood in the own file
	List          string `json:"list"`
	Category      string `json:"category"`
	CaseReference string `json:"case_reference,omitempty"`
	Partner       string `json:"partner"`
	Erased        bool   `json:"erased,omitempty"` // the own record is gone
	New           bool   `json:"new,omitempty"`    // of a standing round: nobody has looked at it before
}
