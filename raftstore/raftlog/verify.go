package raftlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// verifyBatch is how many entries are read between two rests.
const verifyBatch = 256

// Verify reads every entry again, resting most of the time. ErrDamaged where one
// is not what was written or is missing; else the context's error.
func (l *Log) Verify(ctx context.Context) error {
	index, err := l.bolt.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.bolt.LastIndex()
	if err != nil {
		return err
	}
	for index != 0 && index <= last {
		began := time.Now()
		for range verifyBatch {
			var entry raft.Log
			err := l.bolt.GetLog(index, &entry)
			if errors.Is(err, raft.ErrLogNotFound) {
				err = l.missing(&index, &last)
			}
			if err != nil {
				return err
			}
			if index++; index > last {
				break
			}
		}
		select {
		case <-time.After(4 * time.Since(began)):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// missing tells an entry that was deleted meanwhile, at either end, from one that
// is lost.
func (l *Log) missing(index, last *uint64) error {
	first, err := l.bolt.FirstIndex()
	if err != nil {
		return err
	}
	if *last, err = l.bolt.LastIndex(); err != nil {
		return err
	}
	if first == 0 || *index > *last {
		*index = *last
		return nil
	}
	if *index < first {
		*index = first - 1
		return nil
	}
	return fmt.Errorf("%w: entry %d is missing between %d and %d", ErrDamaged, *index, first, *last)
}
