package transport

import (
	"reflect"
	"testing"

	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

// TestLimitsAreWrittenOut: no field of the scopes that stand for the process, for
// strangers and for a member is left to a default.
func TestLimitsAreWrittenOut(t *testing.T) {
	l := limits()
	for name, scope := range map[string]rcmgr.ResourceLimits{
		"system": l.System, "transient": l.Transient, "peer": l.PeerDefault,
	} {
		v := reflect.ValueOf(scope)
		for i := range v.NumField() {
			if v.Field(i).Int() <= 0 {
				t.Errorf("%s: %s is %d", name, v.Type().Field(i).Name, v.Field(i).Int())
			}
		}
	}
	if l.Transient.ConnsInbound < 3*connsPerSource {
		t.Error("one source can take up what strangers share")
	}
	if l.System.ConnsInbound < l.Transient.ConnsInbound+64*l.PeerDefault.ConnsInbound {
		t.Error("strangers can take up the room of 64 members")
	}
}
