package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"time"

	"github.com/pemba-authz/pemba/scenario"
	"github.com/pemba-authz/pemba/schema"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/urfave/cli/v2"
)

func schemaTestCommand() *cli.Command {
	return &cli.Command{
		Name: "test", Usage: "run the tests that stand in schemas and scenario files, with coverage", ArgsUsage: "FILE…",
		Flags: []cli.Flag{jsonFlag,
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show every check, not only those that fail"},
			&cli.StringFlag{Name: "run", Usage: "only tests whose name matches `REGEXP`"},
			&cli.StringFlag{Name: "junit", Usage: "write a JUnit report to `FILE`"},
			&cli.StringFlag{Name: "at", Usage: "the `TIME` of assertions that name none; now without it"},
		},
		Action: testSchemas,
	}
}

func testSchemas(c *cli.Context) error {
	if !c.Args().Present() {
		return &usageError{command: commandPath(c), message: "no file is named", suggestion: "- is standard input"}
	}
	if c.String("junit") != "" && c.Args().Len() > 1 {
		return &usageError{command: commandPath(c), message: "--junit takes the report of one file", suggestion: "test the files one by one"}
	}
	options, err := testOptions(c)
	if err != nil {
		return err
	}
	failed := false
	for _, name := range c.Args().Slice() {
		if path.Ext(name) == ".txtar" {
			passed, err := testScenario(c, name, options)
			if err != nil {
				return err
			}
			failed = failed || !passed
			continue
		}
		module, err := compileLocated(c, name)
		var diagnostics source.Diagnostics
		if errors.As(err, &diagnostics) && !c.Bool("json") {
			fmt.Fprint(c.App.ErrWriter, renderDiagnostics(diagnostics))
			failed = true
			continue
		}
		if err != nil {
			return err
		}
		report, err := scenario.Run(c.Context, module, options)
		if err != nil {
			return err
		}
		failed = failed || !report.OK()
		if err := printReport(c, name, report); err != nil {
			return err
		}
	}
	if failed {
		return errQuiet(exitNo)
	}
	return nil
}

// testScenario runs a scenario file: its tests, and what it says must be refused.
func testScenario(c *cli.Context, name string, options scenario.Options) (passed bool, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	s, err := scenario.Parse(name, text)
	if err != nil {
		return false, err
	}
	module, err := s.Check()
	if err != nil {
		fmt.Fprintln(c.App.ErrWriter, err)
		return false, nil
	}
	report := &scenario.Report{File: name} // of a schema that is as wrong as it should be
	if module != nil {
		if report, err = scenario.Run(c.Context, module, options); err != nil {
			return false, err
		}
	}
	return report.OK(), printReport(c, name, report)
}

func testOptions(c *cli.Context) (scenario.Options, error) {
	var options scenario.Options
	if text := c.String("run"); text != "" {
		pattern, err := regexp.Compile(text)
		if err != nil {
			return options, &usageError{command: commandPath(c), message: "--run: " + err.Error()}
		}
		options.Match = pattern.MatchString
	}
	options.Now = time.Now()
	if text := c.String("at"); text != "" {
		at, err := tuple.ParseTime(text)
		if err != nil {
			return options, fmt.Errorf("--at: %w", err)
		}
		options.Now = at
	}
	return options, nil
}

func printReport(c *cli.Context, name string, report *scenario.Report) error {
	if file := c.String("junit"); file != "" {
		if err := writeJUnit(file, report); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		if err := report.WriteJSON(c.App.Writer); err != nil {
			return err
		}
		_, err := io.WriteString(c.App.Writer, "\n")
		return err
	}
	if c.Args().Len() > 1 {
		fmt.Fprintf(c.App.Writer, "%s\n", name)
	}
	if c.Bool("verbose") {
		printChecks(c.App.Writer, report)
	}
	return report.WriteText(c.App.Writer)
}

func printChecks(w io.Writer, report *scenario.Report) {
	for _, t := range report.Tests {
		fmt.Fprintln(w, t.Name)
		for _, check := range t.Checks {
			mark := "ok  "
			if !check.Passed {
				mark = "FAIL"
			}
			fmt.Fprintf(w, "  %s %s: %s\n", mark, check.Place, check)
		}
	}
}

func writeJUnit(name string, report *scenario.Report) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(report.WriteJUnit(file), file.Close())
}

// compileLocated compiles a file so that places in what comes of it are paths
// from where the command runs, as far as they lie below.
func compileLocated(c *cli.Context, name string) (*schema.Module, error) {
	if name == "-" || !filepath.IsLocal(name) {
		return compileFile(c, name)
	}
	module, err := compileFile(c, name)
	if err != nil {
		return nil, err
	}
	folder := path.Dir(filepath.ToSlash(name))
	files := make([]source.File, len(module.Files))
	for i, f := range module.Files {
		files[i] = source.File{Name: path.Join(folder, f.Name), Text: f.Text}
	}
	return compileSource(files)
}
