package dialect

import (
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/pemba-authz/pemba/schema/source"
)

// Reporter collects what an import has to say about its source files.
type Reporter struct {
	lines  map[string][]string
	report source.Diagnostics
	count  map[source.Severity]int
	spent  int
}

// NewReporter returns a reporter over the files of one import.
func NewReporter() *Reporter {
	return &Reporter{lines: map[string][]string{}, count: map[source.Severity]int{}}
}

// Open makes a file's lines known, for excerpts. It reports text that is not
// UTF-8 and says whether the file can be read on.
func (r *Reporter) Open(f source.File) bool {
	r.lines[f.Name] = strings.Split(f.Text, "\n")
	if utf8.ValidString(f.Text) {
		return true
	}
	for i, line := range r.lines[f.Name] {
		if !utf8.ValidString(line) {
			r.Refuse("not_utf8", source.Place{File: f.Name, Line: i + 1, Column: 1}, 1,
				"the file is not valid UTF-8", "save it as UTF-8")
			break
		}
	}
	return false
}

// Admit refuses an import whose files are too many, too large, or named so that
// they leave the folder they are in.
func (r *Reporter) Admit(files []source.File) bool {
	total, ok := 0, true
	for _, f := range files {
		total += len(f.Text)
		if !SafePath(f.Name) {
			r.Refuse("bad_path", source.Place{File: f.Name, Line: 1, Column: 1}, 1,
				fmt.Sprintf("the file name %q is not a path below the import's folder", f.Name), "use a relative path without ..")
			ok = false
		}
	}
	if len(files) == 0 {
		r.Refuse("no_source", source.Place{Line: 1, Column: 1}, 1, "there is no file to import", "")
		return false
	}
	root := source.Place{File: files[0].Name, Line: 1, Column: 1}
	if len(files) > MaxFiles {
		r.Refuse("too_large", root, 1, fmt.Sprintf("%d files are too many, %d are the most", len(files), MaxFiles), "")
		return false
	}
	if total > MaxSourceBytes {
		r.Refuse("too_large", root, 1, fmt.Sprintf("%d bytes of source are too many, %d are the most", total, MaxSourceBytes), "")
		return false
	}
	return ok
}

// Plain returns the files without byte order marks and with the ends of lines as
// Unix has them. Places stay what they are.
func Plain(files []source.File) []source.File {
	out := make([]source.File, len(files))
	for i, f := range files {
		text := strings.ReplaceAll(strings.TrimPrefix(f.Text, "\ufeff"), "\r\n", "\n")
		out[i] = source.File{Name: f.Name, Text: text}
	}
	return out
}

// SafePath says whether a name is a relative path that stays in its folder.
func SafePath(name string) bool {
	return name != "" && !path.IsAbs(name) && !strings.Contains(name, "\\") && !strings.ContainsRune(name, 0) &&
		path.Clean("/"+name) == "/"+path.Clean(name) && path.Clean(name) != "." &&
		path.Clean(name) != ".." && !strings.HasPrefix(path.Clean(name), "../")
}

// Refuse reports an error: something that is wrong or cannot be carried over.
func (r *Reporter) Refuse(code string, at source.Place, width int, message, suggestion string) {
	r.add(source.Error, code, at, width, message, "", suggestion)
}

// Expected reports a syntax error: what was found and what could stand there.
func (r *Reporter) Expected(at source.Place, width int, found, expected string) {
	r.add(source.Error, "syntax", at, width, "unexpected "+found, expected, "")
}

// Note reports a warning: something that was carried over differently.
func (r *Reporter) Note(code string, at source.Place, width int, message, suggestion string) {
	r.add(source.Warning, code, at, width, message, "", suggestion)
}

// maxSteps bounds the work that references between names may cause; models that
// people write take some thousands of steps.
const maxSteps = 5_000_000

// Spend counts steps of work and says whether there may be more; past the bound
// the import is refused, once.
func (r *Reporter) Spend(steps int, at source.Place) bool {
	before := r.spent
	r.spent += steps
	if before <= maxSteps && r.spent > maxSteps {
		r.Refuse("too_large", source.Place{File: at.File, Line: 1, Column: 1}, 1, "the schema is too large to be checked", "")
	}
	return r.spent <= maxSteps
}

// Bounds on the search for near misses.
const (
	maxSuggestions = 100 // errors after which there are none
	maxCandidates  = 1000
	maxNear        = 64 // bytes of a name
)

// Suggest asks whether an unknown name was meant to be one of those in a list.
// It gives up where so much is wrong that it would take long.
func Suggest[T any](r *Reporter, text string, list []T, name func(T) string) string {
	if r.count[source.Error] >= maxSuggestions || len(text) > maxNear {
		return ""
	}
	list = list[:min(len(list), maxCandidates)]
	names := make([]string, len(list))
	for i, entry := range list {
		names[i] = name(entry)
	}
	return source.DidYouMean(text, names)
}

// Failed says whether an error was reported.
func (r *Reporter) Failed() bool { return r.count[source.Error] > 0 }

// Result returns the report with the files, or without them where it refuses.
func (r *Reporter) Result(files []source.File) Result {
	if r.Failed() {
		files = nil
	}
	return Result{Files: files, Report: r.report.Sort()}
}

func (r *Reporter) add(severity source.Severity, code string, at source.Place, width int, message, expected, suggestion string) {
	r.count[severity]++
	if r.count[severity] > MaxReports {
		return
	}
	if r.count[severity] == MaxReports {
		code, message, expected, suggestion = "too_many", fmt.Sprintf("more than %d of its kind: the rest is left out", MaxReports-1), "", ""
	}
	r.report = append(r.report, &source.Diagnostic{Severity: severity, Code: code, Place: at, Width: width,
		Excerpt: r.excerpt(at), Message: message, Expected: expected, Suggestion: suggestion})
}

// maxExcerpt is the longest line that a report quotes, in bytes.
const maxExcerpt = 400

func (r *Reporter) excerpt(at source.Place) string {
	lines := r.lines[at.File]
	if at.Line < 1 || at.Line > len(lines) {
		return ""
	}
	line := strings.TrimRight(lines[at.Line-1], "\r")
	if len(line) > maxExcerpt {
		line = line[:maxExcerpt]
	}
	return strings.ToValidUTF8(line, "")
}
