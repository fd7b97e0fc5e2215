package raftstore_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A register is a document with at most one viewer: the number last written, 0
// for none. Every number is written once.

type registerOp uint8

const (
	readRegister  registerOp = iota // fully consistent
	writeRegister                   // whatever is there
	swapRegister                    // if expected is there
)

type registerInput struct {
	register string
	op       registerOp
	value    int // to write
	expected int // of a swap
}

// registerOutput is what a read or a swap answered.
type registerOutput struct {
	value   int  // of a read
	refused bool // of a swap: something else was there
	unknown bool // of a write or a swap: no answer
}

// registers is the sequential model, one register at a time.
var registers = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		by := map[string][]porcupine.Operation{}
		for _, o := range history {
			in := o.Input.(registerInput)
			by[in.register] = append(by[in.register], o)
		}
		var parts [][]porcupine.Operation
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		in, out, now := input.(registerInput), output.(registerOutput), state.(int)
		switch {
		case in.op == readRegister:
			return out.value == now, now
		case in.op == writeRegister:
			return true, in.value
		case out.refused:
			return now != in.expected, now
		case now == in.expected:
			return true, in.value
		}
		return out.unknown, now // of unknown outcome: it may have been refused
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v → %+v", input, output) },
}

// registerWrite is the request of a write or a swap.
func registerWrite(in registerInput) raftstore.WriteRequest {
	w := change(command.Touch, viewer(in.register, strconv.Itoa(in.value)))
	w.DeleteFilter = &tuple.Filter{ObjectType: "document", ObjectID: in.register}
	if in.op == swapRegister {
		expected := raftstore.Precondition{Filter: *w.DeleteFilter, Must: command.NotMatch}
		if in.expected != 0 {
			expected.Must = command.Match
			expected.Filter.Subject = tuple.SubjectFilter{Type: "user", ID: strconv.Itoa(in.expected)}
		}
		w.Preconditions = []raftstore.Precondition{expected}
	}
	return w
}

// lookAt reads a register, and says at which revision.
func lookAt(ctx context.Context, n *raftstore.Node, register string, c raftstore.Consistency) (int, tuple.Revision, error) {
	view, err := n.View(ctx, "s", c)
	if err != nil {
		return 0, 0, err
	}
	defer view.Close()
	value := 0
	for found, err := range view.Tuples(tuple.Filter{ObjectType: "document", ObjectID: register}, nil) {
		if err != nil {
			return 0, 0, err
		}
		if value != 0 {
			return 0, 0, errors.New("a register holds two values")
		}
		if value, err = strconv.Atoi(found.Subject.ID); err != nil {
			return 0, 0, err
		}
	}
	return value, view.Revision(), nil
}

// fact is that a register held a value at a revision, as some read said, or was
// given it there, as the answer of a write said. Writes that share an entry of the
// log share their revision, so another one may have followed at once.
type fact struct {
	register string
	revision tuple.Revision
	value    int
	written  bool
}

// checkFacts demands one value of each register per revision, whichever node was
// asked in whichever mode, and that it is the last one written up to there.
func checkFacts(t *testing.T, facts []fact) {
	t.Helper()
	order := func(f fact) int { // writes before the reads of their revision
		if f.written {
			return 0
		}
		return 1
	}
	slices.SortFunc(facts, func(a, b fact) int {
		return cmp.Or(cmp.Compare(a.register, b.register), cmp.Compare(a.revision, b.revision), cmp.Compare(order(a), order(b)))
	})
	written := map[int]tuple.Revision{} // by value
	for _, f := range facts {
		if f.written {
			written[f.value] = f.revision
		}
	}
	var write, read fact // the last ones up to here
	for _, f := range facts {
		if f.register != write.register {
			write, read = fact{register: f.register}, fact{}
		}
		if f.written {
			write = f
			continue
		}
		at, known := written[f.value]
		switch {
		case known && at > f.revision:
			t.Errorf("at revision %d the register %s is %d, which was written at %d", f.revision, f.register, f.value, at)
		case (known || f.value == 0) && write.revision > at:
			t.Errorf("at revision %d the register %s is %d again, though %d was written at %d", f.revision, f.register, f.value, write.value, write.revision)
		case read.register == f.register && read.revision == f.revision && read.value != f.value:
			t.Errorf("at revision %d the register %s is both %d and %d", f.revision, f.register, read.value, f.value)
		}
		read = f
	}
}
