package scenario_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
)

func TestTry(t *testing.T) {
	for _, n := range []string{"ptolemy", "cloud-observability", "observe", "portkey"} {
		files, err := schema.LoadFile("../examples/" + n + "/tests.pemba")
		if err != nil {
			t.Fatal(err)
		}
		m, err := schema.Compile(files, schema.NewNumbering())
		if err != nil {
			t.Error(err)
			continue
		}
		r, err := scenario.Run(context.Background(), m, scenario.Options{Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		r.WriteText(os.Stdout)
		if n == "ptolemy" {
			fmt.Println(r.WriteJUnit(os.Stdout))
		}
	}
}
