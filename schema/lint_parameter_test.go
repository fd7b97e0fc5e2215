package schema_test

import (
	"testing"

	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
)

func TestUnusedParameterIsAWarning(t *testing.T) {
	m, err := schema.Compile([]source.File{{Name: "s.pemba", Text: `pemba 1

type user

condition small(amount: int, currency: string) { amount < 10 }

type account {
  relation payer: [user with small]

  permission pay = payer
}
`}}, schema.NewNumbering())
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Warnings) != 1 || m.Warnings[0].Code != "unused_parameter" || m.Warnings[0].Place.Line != 5 || m.Warnings[0].Severity != source.Warning {
		t.Errorf("got %v, want one warning at line 5 of the parameter currency", m.Warnings)
	}
}
