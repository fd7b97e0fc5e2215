package scenario

import "strings"

// archive is a txtar archive: a comment, then files, each behind a line
// "-- name --". The usual libraries for it panic on some malformed archives;
// this reader takes any text.
type archive struct {
	comment string
	files   []file
}

type file struct {
	name string
	text string
}

func parseArchive(text string) archive {
	var a archive
	var part strings.Builder
	finish := func() {
		if len(a.files) == 0 {
			a.comment = part.String()
		} else {
			a.files[len(a.files)-1].text = part.String()
		}
		part.Reset()
	}
	for line := range strings.Lines(text) {
		name, ok := marker(line)
		if !ok {
			part.WriteString(line)
			continue
		}
		finish()
		a.files = append(a.files, file{name: name})
	}
	finish()
	return a
}

// marker reads a line "-- name --".
func marker(line string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "-- ")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(rest, " --")
	name = strings.TrimSpace(name)
	return name, ok && name != ""
}
