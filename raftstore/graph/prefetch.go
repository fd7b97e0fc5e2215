//go:build amd64 || arm64

package graph

import "unsafe"

// prefetch has the cache line at an address fetched, and goes on. A load whose value
// nobody wants does not do that: the processor holds what comes after it back until
// it has the value, as soon as some hundred instructions are held.
//
//go:noescape
func prefetch(at unsafe.Pointer)
