package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func backupCommand() *cli.Command {
	return &cli.Command{
		Name: "backup", Usage: "take a backup of a running cluster, or of one store, at one revision",
		UsageText:   "pemba backup --out FILE\npemba backup verify FILE",
		Description: "Any node gives it, while it goes on serving. pemba restore begins a new cluster from it, or brings back one store.",
		Flags: []cli.Flag{serverFlag(), jsonFlag,
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write; it must not be there"},
			&cli.StringFlag{Name: "store", Aliases: []string{"s"}, Usage: "only the store of this `NAME`; the whole cluster without it, whatever PEMBA_STORE says"},
			&cli.BoolFlag{Name: "no-history", Usage: "the newest revision alone: a smaller file, from which the past cannot be read"},
			&cli.BoolFlag{Name: "local", Usage: "what the asked node has, also where no leader is left to say whether there is more"}},
		Action: takeBackup,
		Subcommands: []*cli.Command{{
			Name: "verify", Usage: "read a backup to its end and say what it holds; nothing is restored", ArgsUsage: "FILE",
			Flags: []cli.Flag{jsonFlag}, Action: verifyBackup,
		}},
	}
}

func takeBackup(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	name := c.String("out")
	if name == "" {
		return &usageError{command: commandPath(c), message: "no file is named", suggestion: "set --out FILE"}
	}
	if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
		return &usageError{command: commandPath(c), message: name + " is there already", suggestion: "name another file: no backup is overwritten"}
	}
	conn, err := connect(c)
	if err != nil {
		return err
	}
	request := api.BackupRequest{Store: c.String("store"), Bare: c.Bool("no-history"), Local: c.Bool("local")}
	verified, err := write(name, func(file io.Writer) error { return conn.Backup(c.Context, request, file) })
	if err != nil {
		return err
	}
	return printBackup(c, name, verified)
}

// verifiedBackup is what a backup holds.
type verifiedBackup struct {
	backup.Header
	Bytes  int64                 `json:"bytes"`
	Stores []state.StoreContents `json:"stores"`
}

// write fills a file beside the wanted one and gives it its name once it has been
// read again and is on the disk.
func write(name string, fill func(io.Writer) error) (verified verifiedBackup, err error) {
	file, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.part")
	if err != nil {
		return verified, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	err = errors.Join(fill(file), file.Sync(), file.Close())
	if err == nil {
		verified, err = readBackup(file.Name())
	}
	if err != nil {
		return verified, err
	}
	return verified, os.Rename(file.Name(), name)
}

func readBackup(name string) (verifiedBackup, error) {
	file, err := os.Open(name)
	if err != nil {
		return verifiedBackup{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return verifiedBackup{}, err
	}
	header, contents, err := raftstore.VerifyBackup(file)
	if err != nil {
		return verifiedBackup{}, refused(name, err)
	}
	return verifiedBackup{Header: header, Bytes: info.Size(), Stores: contents.Stores}, nil
}

func verifyBackup(c *cli.Context) error {
	args, err := arguments(c, "FILE")
	if err != nil {
		return err
	}
	verified, err := readBackup(args[0])
	if err != nil {
		return err
	}
	return printBackup(c, args[0], verified)
}

func printBackup(c *cli.Context, name string, b verifiedBackup) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, b)
	}
	what := "of cluster " + b.Cluster
	if b.Store != "" {
		what = "of store " + b.Store + " in cluster " + b.Cluster
	}
	history := "with its history"
	if b.Floor == b.Revision {
		history = "without history"
	}
	fmt.Fprintf(c.App.Writer, "%s: good, %d bytes\n%s, as it was at %s, %s\n\n", name, b.Bytes, what, b.Time.Format(time.RFC3339Nano), history)
	t := newTable(c.App.Writer, "store", "tuples", "quarantined", "digest")
	for _, st := range b.Stores {
		t.row(st.Name, fmt.Sprint(st.Live), fmt.Sprint(st.Quarantined), st.Digest)
	}
	return t.flush()
}

// refusals are the codes of what is wrong with a file, or the folder to restore to.
var refusals = []struct {
	err  error
	code api.Code
}{
	{backup.ErrForeign, api.BackupForeign},
	{backup.ErrNewer, api.BackupNewer},
	{backup.ErrTruncated, api.BackupTruncated},
	{backup.ErrDamaged, api.BackupDamaged},
	{state.ErrStream, api.BackupDamaged},
	{state.ErrCorrupt, api.BackupDamaged},
	{raftstore.ErrExistingState, api.FolderNotEmpty},
}

// refused gives what is wrong with a backup the form of what a server refuses.
func refused(name string, err error) error {
	for _, known := range refusals {
		if errors.Is(err, known.err) {
			return api.NewProblem(known.code, name+": "+err.Error())
		}
	}
	return fmt.Errorf("%s: %w", name, err)
}
