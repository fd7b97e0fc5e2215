// Package dialect holds what the importers of other engines' schemas share: the
// result of an import, the report that says line by line what was carried over
// and what was not, and the writer that turns a translated model into Pemba's
// own language.
//
// Call openfga.Import or spicedb.Import first; both return a Result. An importer
// refuses what it cannot carry over, with the place and the reason: it never
// drops anything silently.
package dialect

import (
	"github.com/pemba-authz/pemba/schema/source"
)

// Result is an imported schema.
type Result struct {
	// Files is the schema in Pemba's language, the root first; none when the
	// report holds errors.
	Files []source.File
	// Report says what of the source was refused (errors) and what was carried
	// over differently from how it was written (warnings), by place in the source.
	Report source.Diagnostics
}

// Err returns what was refused, or nil when the import succeeded.
func (r Result) Err() error { return r.Report.Errors() }

// Limits on what an importer reads. Past a limit the import is refused.
const (
	MaxSourceBytes = 2 << 20 // of all files together
	MaxFiles       = 1000
	MaxDepth       = 200     // of nesting in one expression
	MaxMembers     = 100_000 // relations and permissions of all types together
	MaxReports     = 500     // errors, and as many warnings, of one import; the rest is left out, and the last one says so
)
