package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/pemba-authz/pemba/schema/source"
	"github.com/urfave/cli/v2"
)

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, s streams) int {
	app := newApp(s)
	if len(args) > 0 {
		args = append(args[:1:1], flagsFirst(app.Commands, args[1:])...)
	}
	err := app.RunContext(ctx, args)
	return report(s.err, err, wantsJSON(args))
}

func newApp(s streams) *cli.App {
	app := &cli.App{
		Name:                      "pemba",
		Usage:                     "relationship-based authorization: may this subject do this to that object?",
		UsageText:                 "pemba COMMAND [arguments and flags, in any order]",
		Description:               exitCodes,
		Version:                   version(),
		Reader:                    s.in,
		Writer:                    s.out,
		ErrWriter:                 s.err,
		EnableBashCompletion:      true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,                         // a comma in a tuple's context is no separator
		ExitErrHandler:            func(*cli.Context, error) {}, // report does it
		Action:                    func(c *cli.Context) error { return group(c) },
		Commands: []*cli.Command{
			devCommand(), serveCommand(), schemaCommand(), storeCommand(), tupleCommand(),
			checkCommand(), explainCommand(), expandCommand(), lookupCommand(), watchCommand(), clusterCommand(), backupCommand(), restoreCommand(), benchCommand(), ceilingCommand(), completionCommand(),
		},
	}
	app.OnUsageError = usageFault
	prepare(app.Commands, "pemba")
	return app
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(development)"
	}
	return info.Main.Version
}

// prepare gives every command its ways with wrong input.
func prepare(commands []*cli.Command, path string) {
	for _, c := range commands {
		c.HideHelpCommand = true
		c.OnUsageError = usageFault
		if slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return f.Names()[0] == "server" }) {
			c.Flags = slices.Concat(c.Flags, trustFlags())
		}
		if len(c.Subcommands) > 0 {
			if c.Action == nil { // backup does something by itself, too
				c.Action = group
			}
			prepare(c.Subcommands, path+" "+c.Name)
		}
	}
}

// group is the action of a command that only holds others.
func group(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowSubcommandHelp(c)
	}
	name := c.Args().First()
	var known []string
	for _, sub := range c.Command.Subcommands {
		known = append(known, sub.Names()...)
	}
	return &usageError{command: commandPath(c), message: fmt.Sprintf("there is no command %q", name),
		suggestion: source.DidYouMean(name, known)}
}

// usageFault turns what the flag parser says into our words.
func usageFault(c *cli.Context, err error, _ bool) error {
	const undefined = "flag provided but not defined: -"
	fault := &usageError{command: commandPath(c), message: err.Error()}
	if name, ok := strings.CutPrefix(err.Error(), undefined); ok {
		name = strings.TrimLeft(name, "-")
		fault.message = "there is no flag --" + name
		var known []string
		for _, f := range c.Command.Flags {
			known = append(known, f.Names()...)
		}
		if near := source.Nearest(name, known); near != "" {
			fault.suggestion = "did you mean --" + near + "?"
		}
	}
	return fault
}

func commandPath(c *cli.Context) string {
	if c.Command == nil || c.Command.HelpName == "" {
		return "pemba"
	}
	return c.Command.HelpName
}

// usageError is a command line that was not understood.
type usageError struct {
	command    string
	message    string
	suggestion string
}

// Error returns what was not understood and where to read on.
func (e *usageError) Error() string {
	text := e.message
	if e.suggestion != "" {
		text += "; " + e.suggestion
	}
	return text + fmt.Sprintf(" (%s --help shows how)", e.command)
}

// arguments returns the command's arguments, which must be as many as names.
func arguments(c *cli.Context, names ...string) ([]string, error) {
	got := c.Args().Slice()
	if len(got) == len(names) {
		return got, nil
	}
	want := strings.Join(names, " ")
	if len(got) < len(names) {
		return nil, &usageError{command: commandPath(c), message: fmt.Sprintf("%s is missing: the command takes %s", names[len(got)], want)}
	}
	if len(names) == 0 {
		return nil, &usageError{command: commandPath(c), message: fmt.Sprintf("%q is too much: the command takes no arguments", got[0])}
	}
	return nil, &usageError{command: commandPath(c), message: fmt.Sprintf("%q is too much: the command takes %s", got[len(names)], want)}
}

// flagsFirst moves flags before the other arguments, since the parser stops at
// the first argument that is no flag, and people don't.
func flagsFirst(commands []*cli.Command, args []string) []string {
	if n := len(args); n > 0 && args[n-1] == "--generate-bash-completion" {
		return args // a shell asks, and it must stay the last one
	}
	var path, flags, rest []string
	known := everyFlag(commands)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case arg == "--":
			rest = append(rest, args[i+1:]...)
			i = len(args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			flags = append(flags, arg)
			if takesValue(known, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		default:
			if j := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(arg) }); j >= 0 && len(rest) == 0 {
				known = append(slices.Clone(commands[j].Flags), everyFlag(commands[j].Subcommands)...)
				commands = commands[j].Subcommands
				path = append(path, arg)
				continue
			}
			commands = nil
			rest = append(rest, arg)
		}
	}
	if slices.ContainsFunc(rest, func(arg string) bool { return strings.HasPrefix(arg, "-") && arg != "-" }) {
		flags = append(flags, "--")
	}
	return slices.Concat(path, flags, rest)
}

// everyFlag returns the flags of all commands: what may stand before the
// command's name.
func everyFlag(commands []*cli.Command) []cli.Flag {
	var flags []cli.Flag
	for _, c := range commands {
		flags = append(append(flags, c.Flags...), everyFlag(c.Subcommands)...)
	}
	return flags
}

// takesValue says whether the next argument belongs to a flag.
func takesValue(flags []cli.Flag, arg string) bool {
	if strings.Contains(arg, "=") {
		return false
	}
	name := strings.TrimLeft(arg, "-")
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			_, boolean := f.(*cli.BoolFlag)
			return !boolean
		}
	}
	return false
}

func wantsJSON(args []string) bool { return slices.Contains(args, "--json") }

// errQuiet ends a command with its exit code and without a message: the output
// has said it all.
type errQuiet int

// Error returns the code as text.
func (e errQuiet) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
