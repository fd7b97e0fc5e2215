package raftstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

// A register is a document with at most one viewer: the number last written.

type registerInput struct {
	register string
	write    bool
	value    int
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
		if in := input.(registerInput); in.write {
			return true, in.value
		}
		return output.(int) == state.(int), state
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " → ", output) },
}

func writeRegister(ctx context.Context, n *raftstore.Node, register string, value int) error {
	w := change(command.Touch, viewer(register, strconv.Itoa(value)))
	w.DeleteFilter = &tuple.Filter{ObjectType: "document", ObjectID: register}
	_, err := n.Write(ctx, "s", w)
	return err
}

func readRegister(ctx context.Context, n *raftstore.Node, register string) (int, error) {
	view, err := n.View(ctx, "s", raftstore.FullyConsistent())
	if err != nil {
		return 0, err
	}
	defer view.Close()
	value := 0
	for found, err := range view.Tuples(tuple.Filter{ObjectType: "document", ObjectID: register}, nil) {
		if err != nil {
			return 0, err
		}
		if value != 0 {
			return 0, errors.New("a register holds two values")
		}
		if value, err = strconv.Atoi(found.Subject.ID); err != nil {
			return 0, err
		}
	}
	return value, nil
}

// TestHistoryIsLinearizable lets clients read and write registers through all
// nodes while leaders are cut off from their followers and let back in, and has
// porcupine look for an order of all operations that explains every answer.
func TestHistoryIsLinearizable(t *testing.T) {
	c := startCluster(t, 3, func(config *raftstore.Config) { config.MaxWait = 2 * time.Second })
	putStore(t, c.nodes[0], "s")
	var (
		mu      sync.Mutex // guards history
		history []porcupine.Operation
		work    sync.WaitGroup
		values  = make(chan int)
		stop    = make(chan struct{})
		began   = time.Now()
	)
	work.Go(func() { // every value is written once
		for v := 1; ; v++ {
			select {
			case values <- v:
			case <-stop:
				return
			}
		}
	})
	const never = int64(1) << 60 // a write of unknown fate may take effect at any later time
	for client := range 9 {
		work.Go(func() {
			n := c.nodes[client%3]
			for {
				select {
				case <-stop:
					return
				default:
				}
				o := porcupine.Operation{ClientId: client, Call: time.Since(began).Nanoseconds()}
				in := registerInput{register: fmt.Sprint("r", rand.IntN(3)), write: rand.IntN(2) == 0}
				var err error
				if in.write {
					select {
					case in.value = <-values:
					case <-stop:
						return
					}
					err = writeRegister(t.Context(), n, in.register, in.value)
				} else {
					o.Output, err = readRegister(t.Context(), n, in.register)
				}
				o.Input, o.Return = in, time.Since(began).Nanoseconds()
				switch {
				case err == nil:
				case in.write && errors.Is(err, raftstore.ErrOutcomeUnknown):
					o.Return = never
				case errors.Is(err, raftstore.ErrNotLeader), errors.Is(err, context.DeadlineExceeded), errors.Is(err, raftstore.ErrRevisionTimeout):
					continue // nothing was done
				default:
					t.Errorf("client %d: %v", client, err)
					return
				}
				mu.Lock()
				history = append(history, o)
				mu.Unlock()
			}
		})
	}
	for range 4 {
		n := c.nodes[c.leader()]
		term := n.Status().Term
		n.Isolate(true)
		eventually(t, func() error {
			for _, other := range c.nodes {
				if s := other.Status(); other != n && s.Role == "leader" && s.Term > term {
					return nil
				}
			}
			return errors.New("the others elect no leader")
		})
		n.Isolate(false)
		mu.Lock()
		before := len(history)
		mu.Unlock()
		eventually(t, func() error {
			mu.Lock()
			defer mu.Unlock()
			if len(history) < before+250 {
				return errors.New("too little is answered")
			}
			return nil
		})
	}
	close(stop)
	work.Wait()
	result, _ := porcupine.CheckOperationsVerbose(registers, history, 20*time.Second)
	if result != porcupine.Ok {
		t.Errorf("no order explains the history of %d operations: %s", len(history), result)
	}
	t.Logf("%d operations", len(history))
}

// TestNewEnemy is the problem of the Zanzibar paper, section 2.2: ana loses access
// to a folder, then something new is put there, protected by the folder's tuples
// as of the token that the writer then held. Whoever asks with that token, at
// whatever node, must not find ana, however far behind the node is.
func TestNewEnemy(t *testing.T) {
	c := startCluster(t, 3, nil)
	putStore(t, c.nodes[0], "s")
	ctx := withPatience(t)
	ana := viewer("folder", "ana")
	for round := range 25 {
		writer, reader := c.nodes[round%3], c.nodes[(round+1)%3]
		granted, err := reader.ParseToken(write(t, writer, "s", change(command.Touch, ana)).Token)
		if err != nil {
			t.Fatal(err)
		}
		behind := reader.Status().Role != "leader" && round%5 == 0
		if behind {
			if !has(t, reader, "s", raftstore.AtLeastAsFresh(granted), ana) {
				t.Errorf("round %d: ana has no access yet", round)
			}
			reader.Isolate(true)
		}
		removed := write(t, writer, "s", change(command.Delete, ana))
		// The new content is written elsewhere, and keeps this token beside it.
		token := removed.Token
		var work sync.WaitGroup
		work.Go(func() {
			revision, err := reader.ParseToken(token)
			if err != nil {
				t.Error(err)
				return
			}
			view, err := reader.View(ctx, "s", raftstore.AtLeastAsFresh(revision))
			if err != nil {
				t.Error(err)
				return
			}
			defer view.Close()
			if viewHas(t, view, ana) {
				t.Errorf("round %d: ana sees what was written after she lost access", round)
			}
		})
		if behind {
			if stale := has(t, reader, "s", raftstore.MinimizeLatency(), ana); !stale {
				t.Log("the reader was not behind")
			}
			reader.Isolate(false)
		}
		work.Wait()
	}
}
