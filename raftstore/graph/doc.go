// Package graph is the in-memory graph index of one store: every tuple that the
// store holds, walkable from both ends, at every revision that a reader has
// pinned.
//
// Call New first, feed it with Load (the build at start) and then with Apply
// (one writer, revision after revision), and read through View. A view sees the
// tuples as they stood at its revision until it is closed, whatever is written
// meanwhile; it satisfies the engine's Reader. Readers take no lock that a
// write holds for longer than a few instructions.
//
// The index holds no pointer per tuple, so its size costs the garbage collector
// nothing. DESIGN.md says how it is laid out.
package graph
