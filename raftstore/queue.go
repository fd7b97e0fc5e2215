package raftstore

import (
	"sync"

	"github.com/pemba-authz/pemba/raftstore/command"
)

// What one entry packs, and what may wait to be packed.
const (
	maxPackBytes  = 256 << 10 // of the commands of one entry, but for a single larger one
	bulkBytes     = 64 << 10  // a command from here on is bulk: an entry of its own
	maxQueued     = 1 << 14   // commands that wait
	maxQueueBytes = 64 << 20  // their size
)

// proposal is one command on its way into the log.
type proposal struct {
	command command.Command
	bytes   int // its size in an entry
	done    chan outcome
}

// outcome is what became of a proposal.
type outcome struct {
	result command.Result
	err    error
}

func (p *proposal) bulk() bool {
	_, isImport := p.command.Body.(*command.Import)
	return isImport || p.bytes >= bulkBytes
}

// queue holds proposals until they are packed. Stores take turns, so that one
// that writes much does not hold up the others. Bulk has a lane of its own: an
// entry of it holds up apply, so one at most is under way while others wait.
type queue struct {
	mu      sync.Mutex // guards what follows
	small   lane
	bulk    lane
	count   int
	bytes   int
	open    int           // entries under way
	loading bool          // a bulk entry is under way
	paused  bool          // nothing is taken
	closed  error         // why nothing more is taken in
	wake    chan struct{} // capacity 1: there may be something to take
}

// lane is a ring of stores that have something waiting.
type lane struct {
	ring   []string
	stores map[string][]*proposal
}

func newQueue() *queue {
	return &queue{
		small: lane{stores: map[string][]*proposal{}},
		bulk:  lane{stores: map[string][]*proposal{}},
		wake:  make(chan struct{}, 1),
	}
}

// put adds a proposal. Its outcome will be sent, unless put fails or cancel succeeds.
func (q *queue) put(p *proposal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed != nil:
		return q.closed
	case q.count >= maxQueued || q.count > 0 && q.bytes+p.bytes > maxQueueBytes:
		return ErrOverloaded
	}
	q.lane(p).put(p)
	q.count++
	q.bytes += p.bytes
	q.signal()
	return nil
}

// cancel takes a proposal back; false when it has been packed already.
func (q *queue) cancel(p *proposal) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.lane(p).remove(p) {
		return false
	}
	q.taken(p)
	return true
}

// take packs the next entry: proposals of all stores in turn, or one bulk
// proposal. It returns none when nothing may go now.
func (q *queue) take() []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.paused {
		return nil
	}
	// Bulk goes first when it may: the small ones behind it are packed all the
	// better, and it waits for its turn after the next entry again.
	if !q.loading || q.small.empty() {
		if p := q.bulk.next(maxCommandBytes); p != nil {
			q.loading = true
			q.open++
			q.taken(p)
			return []*proposal{p}
		}
	}
	var batch []*proposal
	room := maxPackBytes
	for len(batch) < command.MaxCommands {
		p := q.small.next(room)
		if p == nil {
			break
		}
		room -= p.bytes
		q.taken(p)
		batch = append(batch, p)
	}
	if len(batch) > 0 {
		q.open++
	}
	return batch
}

// pause holds everything back, or no longer does.
func (q *queue) pause(on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.paused = on
	q.signal()
}

// ended says that an entry under way has ended.
func (q *queue) ended(bulk bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.open--
	if bulk {
		q.loading = false
		q.signal()
	}
}

// idle says whether no entry is under way.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.open == 0
}

// close refuses further proposals and returns those that wait.
func (q *queue) close(reason error) []*proposal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = reason
	return q.drain()
}

// drain empties the queue: nothing in it was proposed.
func (q *queue) drain() []*proposal {
	var left []*proposal
	for _, l := range []*lane{&q.small, &q.bulk} {
		for p := l.next(maxCommandBytes); p != nil; p = l.next(maxCommandBytes) {
			q.taken(p)
			left = append(left, p)
		}
	}
	return left
}

func (q *queue) lane(p *proposal) *lane {
	if p.bulk() {
		return &q.bulk
	}
	return &q.small
}

func (q *queue) taken(p *proposal) {
	q.count--
	q.bytes -= p.bytes
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (l *lane) empty() bool { return len(l.ring) == 0 }

func (l *lane) put(p *proposal) {
	store := p.command.Store
	if len(l.stores[store]) == 0 {
		l.ring = append(l.ring, store)
	}
	l.stores[store] = append(l.stores[store], p)
}

// next takes the first proposal of the store whose turn it is, unless it is
// larger than the room left.
func (l *lane) next(room int) *proposal {
	if l.empty() {
		return nil
	}
	store := l.ring[0]
	p := l.stores[store][0]
	if p.bytes > room {
		return nil
	}
	l.ring = l.ring[1:]
	l.shift(store)
	if len(l.stores[store]) > 0 {
		l.ring = append(l.ring, store)
	}
	return p
}

func (l *lane) shift(store string) {
	rest := l.stores[store][1:]
	if len(rest) == 0 {
		delete(l.stores, store)
		return
	}
	l.stores[store] = rest
}

func (l *lane) remove(p *proposal) bool {
	store := p.command.Store
	for i, waiting := range l.stores[store] {
		if waiting != p {
			continue
		}
		rest := append(l.stores[store][:i:i], l.stores[store][i+1:]...)
		if len(rest) > 0 {
			l.stores[store] = rest
			return true
		}
		delete(l.stores, store)
		for j, name := range l.ring {
			if name == store {
				l.ring = append(l.ring[:j:j], l.ring[j+1:]...)
				break
			}
		}
		return true
	}
	return false
}
