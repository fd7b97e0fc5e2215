// Package spicedb imports SpiceDB's schemas and relationships: its schema
// language with use flags, imports and partials, and relationships as strings and
// in validation files.
//
// Call Import first. A definition becomes a type, a caveat a condition, "with
// expiration" becomes "with expiry". What SpiceDB alone refuses (wildcards that
// are taken in through another relation, arrows over permissions) is refused here.
package spicedb

import (
	"github.com/pemba-authz/pemba/schema/dialect"
	"github.com/pemba-authz/pemba/schema/source"
)

// Import translates a SpiceDB schema into Pemba's language. The first file is
// the root; those that it imports are among the others.
func Import(files []source.File) dialect.Result {
	report := dialect.NewReporter()
	files = dialect.Plain(files)
	if !report.Admit(files) {
		return report.Result(nil)
	}
	read, whole := load(files, report)
	if !whole {
		return report.Result(nil)
	}
	w := newWorld(read, report) // also where a statement did not parse: all faults at once
	w.validate()
	if report.Failed() {
		return report.Result(nil)
	}
	return report.Result(w.translate())
}

// Syntax reads a schema without asking what its names mean: it returns what is
// wrong with its form, its imports and its partials.
func Syntax(files []source.File) source.Diagnostics {
	report := dialect.NewReporter()
	files = dialect.Plain(files)
	if report.Admit(files) {
		if read, whole := load(files, report); whole {
			newWorld(read, report)
		}
	}
	return report.Result(nil).Report
}
