package raftstore

import (
	"bufio"
	"errors"
	"io"
	"os"
)

func (s *snapshots) export(spool *os.File) (int64, error) {
	out := bufio.NewWriterSize(spool, 1<<20)
	if err := s.state.Export(s.ctx, out); err != nil {
		return 0, err
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	_, err = spool.Seek(0, io.SeekStart)
	return size, err
}

// exported is the stream of a snapshot on its way to a follower.
type exported struct {
	io.Reader
	spool   *os.File
	release func()
}

// Close removes the stream's file and lets the log go.
func (e *exported) Close() error {
	e.release()
	return removeSpool(e.spool)
}

func newSpool(dir string) (*os.File, error) { return os.CreateTemp(dir, spoolPattern) }

func removeSpool(f *os.File) error { return errors.Join(f.Close(), os.Remove(f.Name())) }
