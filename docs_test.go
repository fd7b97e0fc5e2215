package pemba_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows every link of the documents that leads into the repository,
// and every folder and file that the README's tables and sentences name.
func TestLinks(t *testing.T) {
	documents := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".md" {
			return err
		}
		documents++
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := name
			if target != "" {
				path = filepath.Join(filepath.Dir(name), filepath.FromSlash(target))
			}
			linked, err := os.ReadFile(path)
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
				err = nil
			}
			if err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			} else if anchor != "" && !hasHeading(string(linked), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", name, m[1], path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents < 10 {
		t.Errorf("only %d documents were read", documents)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	house := regexp.MustCompile("`((?:schema|engine|scenario|raftstore|server|client|cmd|docs|examples|bench|pembatest)[a-z/._-]*)`")
	for _, m := range house.FindAllStringSubmatch(string(readme), -1) {
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("README.md names %s, which is not there", m[1])
		}
	}
}

// hasHeading says whether a document has the heading that an anchor names, as
// GitHub spells it: lower case, spaces as hyphens, no other marks.
func hasHeading(text, anchor string) bool {
	marks := regexp.MustCompile(`[^\pL\pN _-]`)
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			heading = strings.ToLower(marks.ReplaceAllString(strings.TrimSpace(heading), ""))
			if strings.ReplaceAll(heading, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}
