package raftlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt's pages have no checksums and it trusts what they say, down to panics on
// goroutines of its own. So the file is read before it is opened: every page that
// can be reached must be well formed, every entry what its checksum says, and the
// entries without a gap up to the last one that was written.
//
// A page is: its number (8 bytes), kind (2), elements (2), further pages that it
// spans (4); then the elements, and then what they point to, counted from each
// element on. Numbers are in the machine's byte order. A meta page has, behind its
// header: magic, version, page size, flags (4 each), root page, sequence, freelist,
// end of the pages, transaction (8 each), and an FNV-1a checksum of all that.
const (
	pageHeader  = 16
	elementSize = 16
	metaSize    = 64

	branchPage = 0x01
	leafPage   = 0x02
	bucketFlag = 0x01

	boltMagic = 0xED0CDAED
)

var order = binary.NativeEndian

// checker reads a file of bbolt's.
type checker struct {
	file     io.ReaderAt
	pageSize int
	end      uint64 // the number behind the last page
	seen     map[uint64]bool

	buckets  []string
	last     uint64 // of the entries
	sequence uint64
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// check reads the whole file.
func check(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c := &checker{file: f, seen: map[uint64]bool{}}
	root, err := c.meta()
	if err != nil {
		return err
	}
	if err := c.root(root); err != nil {
		return err
	}
	if c.last != c.sequence {
		return damaged("its last entry is %d, and %d was written", c.last, c.sequence)
	}
	return nil
}

// meta reads both meta pages, and returns the root page of the newer one. bbolt
// takes the older one silently where one is damaged, and with it the entries of
// one append less.
func (c *checker) meta() (root uint64, err error) {
	newest := uint64(0)
	c.pageSize = os.Getpagesize()
	for i := range 2 {
		var page [pageHeader + metaSize]byte
		if _, err := c.file.ReadAt(page[:], int64(i*c.pageSize)); err != nil {
			return 0, damaged("its page %d cannot be read: %v", i, err)
		}
		m := page[pageHeader:]
		sum := fnv.New64a()
		sum.Write(m[:metaSize-8])
		if order.Uint32(m) != boltMagic || order.Uint64(m[metaSize-8:]) != sum.Sum64() || order.Uint32(m[8:]) != uint32(c.pageSize) {
			return 0, damaged("its meta page %d is not what was written", i)
		}
		if txid := order.Uint64(m[48:]); i == 0 || txid > newest {
			newest, root, c.end = txid, order.Uint64(m[16:]), order.Uint64(m[40:])
		}
	}
	return root, nil
}

// page reads a page with all that it spans.
func (c *checker) page(number uint64) (kind, count uint16, b []byte, err error) {
	var head [pageHeader]byte
	if number < 2 || number >= c.end || c.seen[number] {
		return 0, 0, nil, damaged("page %d is out of range or in use twice", number)
	}
	if _, err := c.file.ReadAt(head[:], int64(number)*int64(c.pageSize)); err != nil {
		return 0, 0, nil, damaged("page %d cannot be read: %v", number, err)
	}
	spans := uint64(order.Uint32(head[12:]))
	if order.Uint64(head[:]) != number || number+spans >= c.end {
		return 0, 0, nil, damaged("page %d calls itself %d and spans %d more", number, order.Uint64(head[:]), spans)
	}
	b = make([]byte, (1+spans)*uint64(c.pageSize))
	if _, err := c.file.ReadAt(b, int64(number)*int64(c.pageSize)); err != nil {
		return 0, 0, nil, damaged("page %d cannot be read: %v", number, err)
	}
	for i := range 1 + spans {
		if c.seen[number+i] {
			return 0, 0, nil, damaged("page %d is in use twice", number+i)
		}
		c.seen[number+i] = true
	}
	return order.Uint16(head[8:]), order.Uint16(head[10:]), b, nil
}

// element returns where element i of a page begins, and a slice of it and what lies behind.
func element(b []byte, i int) ([]byte, error) {
	at := pageHeader + i*elementSize
	if at+elementSize > len(b) {
		return nil, damaged("a page has more elements than room")
	}
	return b[at:], nil
}

func part(b []byte, at, size uint64) ([]byte, error) {
	if at > uint64(len(b)) || size > uint64(len(b))-at {
		return nil, damaged("an element reaches beyond its page")
	}
	return b[at : at+size], nil
}

// walk visits the keys below a page in order.
func (c *checker) walk(number uint64, visit func(flags uint32, key, value []byte) error) error {
	kind, count, b, err := c.page(number)
	if err != nil {
		return err
	}
	if kind == leafPage {
		return c.leaf(count, b, visit)
	}
	if kind != branchPage || count == 0 {
		return damaged("page %d is of kind %d with %d elements", number, kind, count)
	}
	var last []byte
	for i := range int(count) {
		e, err := element(b, i)
		if err != nil {
			return err
		}
		least, err := part(e, uint64(order.Uint32(e)), uint64(order.Uint32(e[4:])))
		if err != nil {
			return err
		}
		if i > 0 && bytes.Compare(least, last) <= 0 {
			return damaged("page %d has its keys in another order", number)
		}
		err = c.walk(order.Uint64(e[8:]), func(flags uint32, key, value []byte) error {
			if bytes.Compare(key, least) < 0 {
				return damaged("page %d leads to another key", number)
			}
			last = append(last[:0], key...)
			return visit(flags, key, value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(count uint16, b []byte, visit func(flags uint32, key, value []byte) error) error {
	for i := range int(count) {
		e, err := element(b, i)
		if err != nil {
			return err
		}
		at, keySize, valueSize := uint64(order.Uint32(e[4:])), uint64(order.Uint32(e[8:])), uint64(order.Uint32(e[12:]))
		key, err := part(e, at, keySize)
		if err != nil {
			return err
		}
		value, err := part(e, at+keySize, valueSize)
		if err != nil {
			return err
		}
		if err := visit(order.Uint32(e), key, value); err != nil {
			return err
		}
	}
	return nil
}

// root visits the buckets.
func (c *checker) root(number uint64) error {
	err := c.walk(number, func(flags uint32, name, value []byte) error {
		if flags != bucketFlag || len(value) < 16 {
			return damaged("beside its buckets it holds %q", name)
		}
		c.buckets = append(c.buckets, string(name))
		visit := c.entry
		switch {
		case bytes.Equal(name, entriesBucket):
			c.sequence = order.Uint64(value[8:])
		case bytes.Equal(name, votesBucket):
			visit = c.vote
		default:
			return fmt.Errorf("%w: it holds a bucket %q: is it of an earlier build?", ErrDamaged, name)
		}
		if page := order.Uint64(value); page != 0 {
			return c.walk(page, visit)
		}
		inline := value[16:]
		if len(inline) < pageHeader || order.Uint16(inline[8:]) != leafPage {
			return damaged("the bucket %q is not well formed", name)
		}
		return c.leaf(order.Uint16(inline[10:]), inline, visit)
	})
	if err == nil && len(c.buckets) == 1 {
		err = damaged("a bucket is missing")
	}
	return err
}

func (c *checker) entry(flags uint32, key, value []byte) error {
	if flags != 0 {
		return damaged("an entry is a bucket")
	}
	if err := checkEntry(key, value); err != nil {
		return err
	}
	index := binary.BigEndian.Uint64(key)
	if c.last != 0 && index != c.last+1 {
		return damaged("entry %d follows entry %d", index, c.last)
	}
	c.last = index
	return nil
}

func (c *checker) vote(flags uint32, key, value []byte) error {
	if flags != 0 || !bytes.Equal(key, votesKey) {
		return damaged("a vote has the key %q", key)
	}
	_, err := decodeVotes(value)
	return err
}
