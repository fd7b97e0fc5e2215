package graph

// listBit tells, in a table's number, a list from a lone item; freeBit marks an
// empty word of a list, whose rest is the list's next empty word.
const (
	listBit = 1 << 31
	freeBit = 1 << 31
)

// adjacency maps a key of two numbers to a set of items (edges or nodes). A lone
// item stands in the table itself; more have a list of blocks. The writer calls
// link and unlink, readers call read.
type adjacency struct {
	table *table
	lists *pages[list]
	words *words
	seed  seed
	key   func(item uint32) (uint32, uint32)
	place func(item uint32) *uint32 // the writer's note in the item of the word that holds it; 0: lone
	// retire is told of blocks and lists that no new reader can reach.
	retire func(what limboKind, number uint32)
}

// list is the set of one key with more than one item, or that had more.
type list struct {
	a, b       uint32 // the key
	head       number // the first block
	tail       uint32 // writer's: the last block
	fill       uint32 // writer's: the next word of tail never used
	free       uint32 // writer's: the first empty word, 0 none
	live, size uint32 // writer's: items; words for items
}

func (j *adjacency) match(a, b uint32) func(uint32) bool {
	return func(n uint32) bool {
		if n&listBit != 0 {
			l := j.lists.at(n &^ listBit)
			return l.a == a && l.b == b
		}
		c, d := j.key(n)
		return c == a && d == b
	}
}

// position is where in the set of a key a reader stands: a block and the word
// of it that is next. 0 is the beginning, and the end.
type position uint64

// positionBits holds the number of a word in its block.
const positionBits = 10

// read takes items of a key from a position on into a list, as many as there is
// room for, and returns how many and the position behind them. Items linked or
// unlinked meanwhile may or may not be among them.
func (j *adjacency) read(a, b uint32, from position, into []uint32) (n int, next position) {
	start, at := uint32(from>>positionBits), int(from&(1<<positionBits-1))
	if from == 0 {
		item := j.table.get(j.seed.tag(a, b, 0, 0), j.match(a, b))
		if item == 0 {
			return 0, 0
		}
		if item&listBit == 0 {
			into[0] = item
			return 1, 0
		}
		start, at = j.lists.at(item&^listBit).head.Load(), 2
	}
	for start != 0 {
		block := j.words.block(start)
		for ; at < len(block); at++ {
			if n == len(into) {
				return n, position(start)<<positionBits | position(at)
			}
			if item := block[at].Load(); item != 0 && item&freeBit == 0 {
				into[n] = item
				n++
			}
		}
		start, at = block[0].Load(), 2
	}
	return n, 0
}

func (j *adjacency) link(item uint32) {
	a, b := j.key(item)
	tag := j.seed.tag(a, b, 0, 0)
	slot := j.table.find(tag, j.match(a, b))
	if slot == nil {
		*j.place(item) = 0
		j.table.insert(tag, item)
		return
	}
	n := uint32(slot.Load())
	if n&listBit != 0 {
		j.append(j.lists.at(n&^listBit), item)
		return
	}
	number := j.lists.take()
	l := j.lists.at(number)
	l.a, l.b = a, b
	j.begin(l, j.words.take(minBlock))
	j.append(l, n)
	j.append(l, item)
	slot.Store(entry(tag, number|listBit))
}

// begin makes a list empty, with one block.
func (j *adjacency) begin(l *list, block uint32) {
	l.tail, l.fill, l.free, l.live = block, block+2, 0, 0
	l.size = uint32(len(j.words.block(block))) - 2
	l.head.Store(block)
}

func (j *adjacency) append(l *list, item uint32) {
	at := l.free
	if at != 0 {
		l.free = j.words.at(at).Load() &^ freeBit
	} else {
		size := uint32(len(j.words.block(l.tail)))
		if l.fill == l.tail+size {
			j.extend(l, int(2*size))
		}
		at = l.fill
		l.fill++
	}
	*j.place(item) = at
	l.live++
	j.words.at(at).Store(item)
}

func (j *adjacency) extend(l *list, size int) {
	block := j.words.take(size)
	l.size += uint32(len(j.words.block(block))) - 2
	j.words.at(l.tail).Store(block)
	l.tail, l.fill = block, block+2
}

func (j *adjacency) unlink(item uint32) {
	a, b := j.key(item)
	tag := j.seed.tag(a, b, 0, 0)
	slot := j.table.find(tag, j.match(a, b))
	at := *j.place(item)
	if at == 0 {
		j.table.remove(tag, slot)
		return
	}
	number := uint32(slot.Load()) &^ listBit
	l := j.lists.at(number)
	j.words.at(at).Store(freeBit | l.free)
	l.free = at
	l.live--
	switch {
	case l.live == 0:
		j.table.remove(tag, slot)
		j.retireBlocks(l.head.Load())
		j.retire(limboList, number)
	case l.size >= 64 && l.live < l.size/4:
		j.rebuild(l)
	}
}

// rebuild moves the items of a list that has mostly empty words into new
// blocks. Readers in the old ones find them as they were.
func (j *adjacency) rebuild(l *list) {
	old, live := l.head.Load(), l.live
	fresh := list{a: l.a, b: l.b}
	j.begin(&fresh, j.words.take(int(live)+2))
	for start := old; start != 0; {
		block := j.words.block(start)
		for i := 2; i < len(block); i++ {
			if item := block[i].Load(); item != 0 && item&freeBit == 0 {
				j.append(&fresh, item)
			}
		}
		start = block[0].Load()
	}
	l.tail, l.fill, l.free, l.live, l.size = fresh.tail, fresh.fill, fresh.free, fresh.live, fresh.size
	l.head.Store(fresh.head.Load())
	j.retireBlocks(old)
}

func (j *adjacency) retireBlocks(start uint32) {
	for start != 0 {
		j.retire(limboBlock, start)
		start = j.words.at(start).Load()
	}
}
