// Package dataset makes the graphs that the benchmarks ask about: tuples by the
// million from a seed, and questions whose answers an evaluator of its own has
// found out, without the engine.
//
// Call NewDrive first. A dataset is a function of its size and its seed; nothing
// of it is stored but what the evaluator needs.
package dataset

import (
	"iter"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Question is a check with the answer that is right.
type Question struct {
	Object     tuple.Object
	Permission string
	Subject    tuple.Subject
	Allowed    bool
}

// Dataset is a schema with tuples and an evaluator of its own.
type Dataset interface {
	// Name says which dataset it is, how large and from which seed; it fits a file's
	// name: drive-1000000-1.
	Name() string

	// Schema returns the source in the schema language.
	Schema() string

	// Tuples yields every tuple once, in the same order every time.
	Tuples() iter.Seq[tuple.Tuple]

	// Questions returns n questions with their answers, half of them denied. They
	// are spread evenly: no object and no subject is asked about more than others.
	Questions(seed uint64, n int) []Question
}

// roll is the random number at a place: the same for the same seed and place,
// so that a tuple is computed where it is needed and kept nowhere.
func roll(seed, kind, index, slot uint64) uint64 {
	x := seed ^ kind*0x9e3779b97f4a7c15 ^ index*0xbf58476d1ce4e5b9 ^ slot*0x94d049bb133111eb
	for range 2 { // splitmix64's finish, twice
		x ^= x >> 30
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 27
		x *= 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}
