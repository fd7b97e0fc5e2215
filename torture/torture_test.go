package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestRun kills and pauses real processes for a few seconds. .ci/run does it for
// longer; docs/testing.md has the commands for hours.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes take their time")
	}
	c := Config{Dir: t.TempDir(), Duration: 5 * time.Second, Seed: rand.Uint64(), Clients: 8, Loopback: true, Port: 18790, Verbose: t.Logf}
	report, err := Run(t.Context(), c)
	t.Log("\n" + report)
	if err != nil {
		t.Error(err)
	}
}

func TestUnknownFaultIsRefused(t *testing.T) {
	for _, name := range []string{"eclipse", "power"} {
		if _, err := choose(Config{Faults: []string{name}, Loopback: true}); err == nil {
			t.Errorf("%s on loopback is accepted", name)
		}
	}
}
