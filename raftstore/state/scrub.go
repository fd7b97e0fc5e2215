package state

import (
	"context"
	"fmt"
)

// Scrub reads everything again: the checksums of Badger's files, and every
// store's tuples at the newest revision, on disk and in the graph index, against
// what apply has counted. It rests most of the time.
// ErrCorrupt, or Badger's own error, where something is damaged; then the node
// must stop serving.
func (s *State) Scrub(ctx context.Context) error {
	found, err := s.Summary(ctx, 0, Scrubbed)
	if err != nil {
		return err
	}
	if fault := found.Fault(); fault != "" {
		return fmt.Errorf("%w: %s", ErrCorrupt, fault)
	}
	return nil
}
