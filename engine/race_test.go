//go:build race

package engine_test

// The race detector makes pools forget, so that what is used again is made anew.
func init() { poolsForget = true }
