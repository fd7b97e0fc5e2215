package graph

import (
	"errors"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// Builder makes an index of many tuples at once, on several cores. Each goroutine
// has a Loader of its own; when all have added what they have, Finish makes the
// index. Lists are made at their final size: those of objects as their tuples
// come, those of subjects at the end, when it is known how long they are.
type Builder struct {
	x        *Index
	revision tuple.Revision
	stripes  []sync.Mutex // each guards the names whose tags begin with its number
	full     atomic.Bool  // the index holds as much as it can number

	mu      sync.Mutex // guards the arenas and populations of x, and loaders; taken last
	loaders []*Loader
}

// ErrApart: the tuples of one object did not come one after the other.
var ErrApart = errors.New("graph: the tuples of one object come apart")

// Build begins an index that stands at a revision, with about so many tuples.
func Build(revision tuple.Revision, tuples int) *Builder {
	const nodesInShard = 4096
	depth := min(bits.Len(uint(tuples/nodesInShard)), maxDepth)
	b := &Builder{revision: revision, stripes: make([]sync.Mutex, 1<<min(depth, 6))}
	b.x = newAt(1, uint(depth))
	b.x.names.blocks = sharedBlocks{b}
	return b
}

// sharedBlocks are the blocks of what a build has several goroutines work at.
type sharedBlocks struct{ b *Builder }

func (s sharedBlocks) take(size uint32) uint32 {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.x.words.next > 1<<31-1<<26 {
		s.b.full.Store(true)
	}
	return s.b.x.takeBlock(size)
}

// drop gives the block back at once: nobody reads an index that is being built.
func (s sharedBlocks) drop(start, size uint32) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.x.words.give(start, size)
}

func (s sharedBlocks) of(start, size uint32) []uint64 { return s.b.x.words.of(start, size) }

// Loader adds tuples to an index that is being built; one goroutine uses it.
type Loader struct {
	b       *Builder
	slab    block // words that nobody uses yet
	nodes   map[populationKey]block
	version block

	batch []loading // tuples that are added together
	text  []byte    // their ids

	object  uint32 // whose tuples come; 0: none yet
	kind    tuple.TypeID
	id      []byte
	entries []uint64 // of object

	live, objects, held int
	large               []uint32 // nodes with many tuples that name them
}

// Loader returns a loader for one goroutine more.
func (b *Builder) Loader() *Loader {
	l := &Loader{b: b, nodes: map[populationKey]block{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loaders = append(b.loaders, l)
	return l
}

// loading is a tuple of a batch, with the tags of its ends.
type loading struct {
	Tuple
	object, subject uint32
}

// batchTuples is how many tuples are added together: as many as the processor
// can wait for memory for at once, several times.
const batchTuples = 64

// Add adds one tuple that was not added yet, and keeps nothing of it. The tuples
// of one object come one after the other, to one loader (ErrApart, at the latest
// from Finish).
func (l *Loader) Add(t *Tuple) error {
	need := len(t.ObjectID) + len(t.SubjectID)
	if len(l.batch) == batchTuples || need > cap(l.text)-len(l.text) {
		if err := l.addBatch(); err != nil {
			return err
		}
		if need > cap(l.text) {
			l.text = make([]byte, 0, max(batchTuples*32, 2*need))
		}
	}
	kept := loading{Tuple: *t}
	kept.ObjectID, kept.SubjectID = l.keep(t.ObjectID), l.keep(t.SubjectID)
	kept.Context = tuple.Context(strings.Clone(string(t.Context)))
	l.batch = append(l.batch, kept)
	return nil
}

// keep copies an id into text, which has room for it.
func (l *Loader) keep(id string) string {
	start := len(l.text)
	l.text = append(l.text, id...)
	return unsafe.String(unsafe.SliceData(l.text[start:]), len(id))
}

func (l *Loader) addBatch() error {
	x := l.b.x
	for i := range l.batch {
		t := &l.batch[i]
		t.object = x.seed.textTag(uint32(t.ObjectType), t.ObjectID)
		t.subject = x.seed.textTag(uint32(t.SubjectType), t.SubjectID)
	}
	if lookAhead {
		l.touch()
	}
	for i := range l.batch {
		if err := l.add(&l.batch[i]); err != nil {
			return err
		}
	}
	l.batch, l.text = l.batch[:0], l.text[:0]
	return nil
}

// touch brings into the cache what the tuples of the batch will need: first all
// slots of the table, then all nodes, so that the processor waits for many at
// once. What it reads may be in the hands of another loader; nothing is made of it.
func (l *Loader) touch() {
	var slots [2 * batchTuples]uint64
	x := l.b.x
	for i := range l.batch {
		t := &l.batch[i]
		slots[2*i], slots[2*i+1] = atomic.LoadUint64(x.names.first(t.object)), atomic.LoadUint64(x.names.first(t.subject))
	}
	for _, e := range slots[:2*len(l.batch)] {
		if i := uint32(e); i < maxNodes {
			if n := x.nodes.find(i); n != nil {
				prefetch(unsafe.Pointer(n))
			}
		}
	}
}

func (l *Loader) add(t *loading) error {
	if l.object == 0 || t.ObjectType != l.kind || t.ObjectID != string(l.id) {
		if err := l.flush(); err != nil {
			return err
		}
		l.object, l.kind, l.id = l.node(uint32(t.ObjectType), t.ObjectID, t.object), t.ObjectType, append(l.id[:0], t.ObjectID...)
	}
	x := l.b.x
	subject := l.node(uint32(t.SubjectType), t.SubjectID, t.subject)
	atomic.AddUint64(&x.nodes.at(subject).backward[0], 1) // how many there will be
	to := farEnd(subject, uint32(t.Relation), uint32(t.SubjectRelation))
	if t.bare() {
		l.entries = append(l.entries, to.plain)
		return nil
	}
	i := l.newVersion()
	v := x.versions.at(i)
	v.object, v.subject, v.relation, v.subjectRelation = l.object, subject, to.relation, to.subjectRelation
	v.condition, v.expires = uint32(t.Condition), t.Expires
	if t.Context != "" {
		context := string(t.Context)
		v.context = l.node(contextType, context, x.seed.textTag(contextType, context))
		atomic.AddUint32(&x.nodes.at(v.context).refs, 1)
	}
	l.entries = append(l.entries, v.entry()|uint64(i))
	return nil
}

// flush makes the list of the object whose tuples came.
func (l *Loader) flush() error {
	if l.object == 0 {
		return nil
	}
	n := l.b.x.nodes.at(l.object)
	switch count := len(l.entries); {
	case l.b.full.Load():
		return ErrFull
	case n.forward[0] != 0:
		return ErrApart
	case count <= len(n.forward):
		copy(n.forward[:], l.entries)
	case count <= mostFlat:
		start := l.take(uint32(count))
		copy(l.of(start, uint32(count)), l.entries)
		n.forward[0] = flatWord(start, uint32(count))
	default:
		n.forward[0] = l.b.x.groups(l.entries, forward, l)
	}
	atomic.AddUint32(&n.refs, uint32(len(l.entries)))
	l.live += len(l.entries)
	l.entries = l.entries[:0]
	return nil
}

// node returns the node of an object, new if need be.
func (l *Loader) node(kind uint32, id string, tag uint32) uint32 {
	x := l.b.x
	stripe := &l.b.stripes[uint64(tag)>>(33-bits.Len(uint(len(l.b.stripes))))]
	for {
		stripe.Lock()
		if slot := x.slot(tag, kind, id); slot != nil {
			i := uint32(*slot)
			stripe.Unlock()
			return i
		}
		if s := x.names.shard(tag); !s.full() || !x.names.mustDouble(s) {
			break
		}
		stripe.Unlock()
		l.b.double(tag)
	}
	defer stripe.Unlock()
	i := l.newNode(populationKey{kind, kind != contextType && id == tuple.Wildcard})
	n := x.nodes.at(i)
	n.name(kind, id, l)
	n.life.Store(always)
	x.names.insert(tag, i)
	return i
}

// double makes the directory of names larger, while no loader looks into it.
func (b *Builder) double(tag uint32) {
	for i := range b.stripes {
		b.stripes[i].Lock()
	}
	if s := b.x.names.shard(tag); s.full() && b.x.names.mustDouble(s) {
		b.x.names.double()
	}
	for i := range b.stripes {
		b.stripes[i].Unlock()
	}
}

func (l *Loader) newNode(k populationKey) uint32 {
	free := l.nodes[k]
	if free.size == 0 {
		free = block{l.b.addRun(k) << runBits, 1 << runBits}
	}
	l.nodes[k] = block{free.start + 1, free.size - 1}
	l.objects++
	return free.start
}

func (b *Builder) addRun(k populationKey) uint32 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.x.runs.next<<runBits > maxNodes-1<<20 {
		b.full.Store(true)
	}
	if p := (*b.x.populations.Load())[k]; p != nil {
		return b.x.addRun(p, k)
	}
	return b.x.population(k).first
}

func (l *Loader) newVersion() uint32 {
	const batch = 64
	x := l.b.x
	if l.version.size == 0 {
		l.b.mu.Lock()
		x.versions.next = max(x.versions.next, batch)
		l.version = block{x.versions.next, batch}
		x.versions.ensure(x.versions.next, x.memory)
		x.versions.next += batch
		l.b.mu.Unlock()
	}
	l.version = block{l.version.start + 1, l.version.size - 1}
	l.held++
	return l.version.start - 1
}

// slabWords is how many words a loader takes at a time.
const slabWords = 1 << 12

// take returns an empty block of the loader's own.
func (l *Loader) take(size uint32) uint32 {
	if size > slabWords/8 {
		return sharedBlocks{l.b}.take(size)
	}
	if l.slab.size < size {
		l.giveSlab()
		l.slab = block{sharedBlocks{l.b}.take(slabWords), slabWords}
	}
	l.slab = block{l.slab.start + size, l.slab.size - size}
	return l.slab.start - size
}

func (l *Loader) drop(start, size uint32) { sharedBlocks{l.b}.drop(start, size) }

func (l *Loader) of(start, size uint32) []uint64 { return l.b.x.words.of(start, size) }

func (l *Loader) giveSlab() {
	if l.slab.size > 0 {
		l.drop(l.slab.start, l.slab.size)
		l.slab = block{}
	}
}

// finish gives back what the loader took and did not use.
func (l *Loader) finish() {
	x := l.b.x
	l.giveSlab()
	for ; l.version.size > 0; l.version = (block{l.version.start + 1, l.version.size - 1}) {
		x.versions.give(l.version.start)
	}
	populations := *x.populations.Load()
	for k, free := range l.nodes {
		for ; free.size > 0; free = (block{free.start + 1, free.size - 1}) {
			populations[k].free = append(populations[k].free, free.start)
		}
	}
	x.live, x.objects, x.held = x.live+l.live, x.objects+l.objects, x.held+l.held
}
