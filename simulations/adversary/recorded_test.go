package adversary

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"

	"entente/protocol/standing"
)

// TestRecordedSweep repeats the sweep that the demonstration quotes. The record lies with
// the demonstration, which must not link this package.
func TestRecordedSweep(t *testing.T) {
	const name = "../demo/data/sweep.json"
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var recorded Report
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&recorded); err != nil {
		t.Fatal(err)
	}
	s := recorded.Settings
	again := fmt.Sprintf("go run ./cmd/entente-sim attack filter-sweep --guesses %d --held %d --quota %d -o json > simulations/demo/data/sweep.json",
		s.Guesses, s.Held, s.Quota)
	if recorded.Versions.Protocol != standing.Protocol || recorded.Name == "" || recorded.Measured.Filter.CPUSeconds <= 0 || s.Seed != Defaults().Seed {
		t.Errorf("the record is not of this version; repeat it: %s", again)
	}
	if r := sweep(t, s); !reflect.DeepEqual(r.Results, recorded.Results) {
		t.Errorf("the record is not what a sweep brings now; repeat it: %s\n%+v\n%+v", again, r.Results, recorded.Results)
	}
	if found := recorded.Contradictions(); len(found) > 0 {
		t.Error(found)
	}
}
