package schema_test

import (
	"errors"

	"github.com/pemba-authz/pemba/schema/source"
)

// codes returns the codes of all diagnostics of an error.
func codes(err error) map[string]bool {
	found := map[string]bool{}
	var ds source.Diagnostics
	if errors.As(err, &ds) {
		for _, d := range ds {
			found[d.Code] = true
		}
	}
	return found
}
