package state

import (
	"context"
	"errors"
	"fmt"
)

// Scrub reads everything again: the checksums of Badger's files, and every
// store's tuples at the newest revision against what apply has counted.
// ErrCorrupt, or Badger's own error, where something is damaged; then the node
// must stop serving.
func (s *State) Scrub(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	g := s.gen
	g.refs++
	s.mu.Unlock()
	err := g.db.VerifyChecksum()
	s.release(g)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	for _, info := range s.Stores() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.scrubStore(info.Name); err != nil {
			return fmt.Errorf("store %q: %w", info.Name, err)
		}
	}
	return nil
}

func (s *State) scrubStore(name string) error {
	v, err := s.View(name, 0)
	if errors.Is(err, ErrStoreNotFound) { // deleted meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	defer v.Close()
	return v.Verify()
}
