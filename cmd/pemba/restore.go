package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pemba-authz/pemba/client"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/backup"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/state"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
	"github.com/urfave/cli/v2"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", Usage: "begin a new cluster from a backup, or bring one store back into a running one", ArgsUsage: "FILE",
		UsageText: "pemba restore FILE --dir FOLDER\npemba restore FILE --as STORE",
		Description: "With --dir, no server is asked: the folder becomes that of the first node of a new cluster. Start it with pemba serve --dir FOLDER; others join it.\n" +
			"With --as, a store of that name is made on the server, filled, read back and compared. It is there while it is being filled: let nobody ask it before.",
		Flags: []cli.Flag{serverFlag(), jsonFlag,
			&cli.StringFlag{Name: "dir", Usage: "`FOLDER` to make, of a new cluster's first node"},
			&cli.StringFlag{Name: "as", Usage: "`NAME` of the store to make on the server; there must be none of it"},
			&cli.StringFlag{Name: "store", Usage: "with --as: `NAME` of the store inside of the backup, where it holds several"}},
		Action: restore,
	}
}

func restore(c *cli.Context) error {
	args, err := arguments(c, "FILE")
	if err != nil {
		return err
	}
	dir, as := c.String("dir"), c.String("as")
	if (dir == "") == (as == "") {
		return &usageError{command: commandPath(c), message: "nothing says where to restore to, or too much does",
			suggestion: "set --dir FOLDER for a new cluster, or --as STORE for one store of a running one"}
	}
	if as != "" {
		return restoreStore(c, args[0], as)
	}
	file, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer file.Close()
	header, err := raftstore.Restore(dir, file, slog.New(slog.DiscardHandler))
	if err != nil {
		return refused(args[0], err)
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, header)
	}
	_, err = fmt.Fprintf(c.App.Writer, "restored to %s, as it was at %s\nIt is a cluster of its own: tokens of cluster %s say nothing there.\nstart it with: pemba serve --dir %s\n",
		dir, header.Time.Format("2006-01-02T15:04:05Z07:00"), header.Cluster, dir)
	return err
}

// restoredStore says what became of a store.
type restoredStore struct {
	Store       string      `json:"store"`
	Tuples      int         `json:"tuples"`
	Quarantined uint64      `json:"quarantined"` // that were left out: no schema of the store admits them
	Token       tuple.Token `json:"token,omitzero"`
}

// restoreStore reads and verifies the whole backup in a folder of its own before
// it asks the server for anything.
func restoreStore(c *cli.Context, name, as string) (err error) {
	conn, err := connect(c)
	if err != nil {
		return err
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	in, err := backup.NewReader(file)
	if err != nil {
		return refused(name, err)
	}
	dir, err := os.MkdirTemp("", "pemba-restore-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := raftstore.ReadBackup(filepath.Join(dir, "state"), in, slog.New(slog.DiscardHandler))
	if err != nil {
		return refused(name, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	from, err := chooseStore(c, s)
	if err != nil {
		return err
	}
	source, err := s.View(from.Name, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	made, err := conn.PutStoreIndexed(c.Context, as, api.StoreIndex(from.Index.String()))
	if err != nil {
		return err
	}
	if !made.Created {
		return &usageError{command: commandPath(c), message: "the store " + as + " is there already", suggestion: "restore under a name that is free"}
	}
	result, err := fillStore(c.Context, conn.Store(as).Session(), source)
	if err != nil {
		_, undo := conn.DeleteStore(context.WithoutCancel(c.Context), as)
		return errors.Join(fmt.Errorf("restoring store %s, which was deleted again: %w", as, err), undo)
	}
	result.Store = as
	return printRestored(c, result)
}

func printRestored(c *cli.Context, result restoredStore) error {
	if c.Bool("json") {
		return printJSON(c.App.Writer, result)
	}
	if result.Quarantined > 0 {
		fmt.Fprintf(c.App.ErrWriter, "%d quarantined tuples were left out\n", result.Quarantined)
	}
	_, err := fmt.Fprintf(c.App.Writer, "restored store %s: %s, read back and compared\ntoken %s\n", result.Store, plural(result.Tuples, "tuple"), result.Token)
	return err
}

// chooseStore finds the store that is meant among those of the backup.
func chooseStore(c *cli.Context, s *state.State) (command.StoreInfo, error) {
	stores := s.Stores()
	wanted := c.String("store")
	var names []string
	for _, st := range stores {
		if names = append(names, st.Name); st.Name == wanted || wanted == "" && len(stores) == 1 {
			return st, nil
		}
	}
	message := "the backup holds several stores"
	if wanted != "" {
		message = fmt.Sprintf("the backup holds no store %q", wanted)
	}
	return command.StoreInfo{}, &usageError{command: commandPath(c), message: message, suggestion: "set --store to one of: " + strings.Join(names, ", ")}
}

// restoreBatch is how many tuples one write brings.
const restoreBatch = 1000

// fillStore writes schema and tuples of a view into an empty store, reads them
// back and compares them.
func fillStore(ctx context.Context, store *client.Store, source *state.View) (result restoredStore, err error) {
	stored, err := source.StoredSchema()
	if err != nil || stored == nil {
		return result, err
	}
	counts, err := source.Counts()
	if err != nil {
		return result, err
	}
	result.Quarantined = counts.Quarantined
	request := api.PutSchemaRequest{}
	for _, f := range stored.Command.Files {
		request.Files = append(request.Files, api.SchemaFile{Name: f.Name, Text: f.Text})
	}
	put, err := store.PutSchema(ctx, request)
	if err != nil {
		return result, err
	}
	result.Token = put.Token
	begun := time.Now()
	var want, got sum
	var batch []api.Tuple
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		written, err := store.Create(ctx, batch...)
		batch, result.Token = batch[:0], written.Token
		return err
	}
	for t, err := range source.Tuples(tuple.Filter{}, nil) {
		if err != nil {
			return result, err
		}
		if !t.Expires.IsZero() && !t.Expires.After(begun) {
			continue // its time has come since the backup
		}
		result.Tuples++
		want.add(t, begun)
		if batch = append(batch, api.FromTuple(t)); len(batch) == restoreBatch {
			if err := flush(); err != nil {
				return result, err
			}
		}
	}
	if err := flush(); err != nil {
		return result, err
	}
	for wire, err := range store.Tuples(ctx, api.ReadRequest{Consistency: api.AtExactSnapshot(result.Token)}) {
		if err != nil {
			return result, err
		}
		t, faults := wire.Tuple()
		if len(faults) > 0 {
			return result, faults.Err()
		}
		got.add(t, begun)
	}
	if got != want {
		return result, fmt.Errorf("what was read back is not what was written: %d tuples with sum %x, where %d with %x should be", got.count, got.sum, want.count, want.sum)
	}
	return result, nil
}

// sum sums up tuples in any order.
type sum struct {
	count int
	sum   [4]uint64
}

// add leaves out what may expire before it is read back.
func (s *sum) add(t tuple.Tuple, begun time.Time) {
	if !t.Expires.IsZero() && t.Expires.Before(begun.Add(time.Hour)) {
		return
	}
	hash := sha256.Sum256([]byte(t.String()))
	for i := range s.sum {
		s.sum[i] += binary.BigEndian.Uint64(hash[8*i:])
	}
	s.count++
}
