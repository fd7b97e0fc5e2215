package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// Every command line of the documents names commands and flags that there are.
func TestDocumentedCommands(t *testing.T) {
	names, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob("../../examples/*/README.md")
	if err != nil {
		t.Fatal(err)
	}
	names = append(append(names, examples...), "../../README.md", "../../examples/README.md", "../../CHANGELOG.md")
	said := regexp.MustCompile("(?m)^ {4}(?:go run \\./cmd/)?(pemba .*)$|`(?:go run \\./cmd/)?(pemba [^`]*)`")
	read := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range said.FindAllStringSubmatch(string(text), -1) {
			if line := m[1] + m[2]; line != "pemba 1" && !strings.HasPrefix(line, "pemba 1 refuse") {
				read++
				documented(t, filepath.Base(name), line)
			}
		}
	}
	if read < 50 {
		t.Errorf("only %d command lines were found", read)
	}
}

func documented(t *testing.T, name, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, " # ")
	words := strings.Fields(regexp.MustCompile(`'[^']*'`).ReplaceAllString(line, "QUOTED"))[1:]
	var command *cli.Command
	commands := newApp(streams{}).Commands
	for len(words) > 0 && len(commands) > 0 {
		alternatives := strings.Split(words[0], "|") // serve|dev: each is one
		if strings.HasSuffix(words[0], ",") {        // fmt, check: each is one
			alternatives = nil
			for _, w := range words {
				alternatives = append(alternatives, strings.TrimSuffix(w, ","))
			}
			words = words[:1]
		}
		for _, alternative := range alternatives {
			i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(alternative) })
			if i < 0 {
				if words[0] == "COMMAND" || strings.HasPrefix(words[0], "--") {
					return
				}
				t.Errorf("%s: %s: there is no command %q", name, line, alternative)
				return
			}
			command = commands[i]
		}
		words, commands = words[1:], command.Subcommands
	}
	for _, word := range words {
		if word == "&" || word == "|" || word == "--" {
			break
		}
		flag, _, _ := strings.Cut(strings.TrimLeft(word, "-"), "=")
		flag = strings.TrimRight(flag, ",;]")
		if !strings.HasPrefix(word, "-") || word == "-" || flag == "help" {
			continue
		}
		if !slices.ContainsFunc(command.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) }) {
			t.Errorf("%s: %s: %s has no flag %s", name, line, command.Name, word)
		}
	}
}
