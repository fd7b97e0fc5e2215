package state

import "github.com/pemba-authz/pemba/raftstore/graph"

// Graphs sums up the sizes of the graph indexes of all stores, as their last
// writes left them. Stores on disk have none.
func (s *State) Graphs() graph.Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var sum graph.Stats
	for _, st := range s.head.stores {
		if st.index == nil {
			continue
		}
		one := st.index.Stats()
		sum.Tuples += one.Tuples
		sum.Held += one.Held
		sum.Objects += one.Objects
		sum.Retired += one.Retired
		sum.Bytes += one.Bytes
	}
	return sum
}
