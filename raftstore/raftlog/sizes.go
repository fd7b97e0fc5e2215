package raftlog

import (
	"sort"

	"github.com/hashicorp/raft"
)

// entryOverhead is about what an entry costs beside its data.
const entryOverhead = 48

// stride is how many entries share one mark.
const stride = 256

// samples is how many entries are read at start to guess the size of the rest.
const samples = 64

// sizes knows about how many bytes lie behind each index, in one mark per stride
// of entries. Entries that were there at start count as their sampled average.
type sizes struct {
	marks []mark // ascending in both fields; the last one is the log's end
	start mark   // what lies before the oldest entry
}

// mark says how many bytes there were up to and with an index.
type mark struct {
	index uint64
	bytes int64
}

func (s *sizes) end() mark {
	if len(s.marks) == 0 {
		return s.start
	}
	return s.marks[len(s.marks)-1]
}

func (s *sizes) append(index uint64, bytes int64) {
	end := s.end()
	next := mark{index, end.bytes + bytes}
	n := len(s.marks)
	if n == 0 || index/stride != s.marks[n-1].index/stride {
		if n == 0 {
			s.start = mark{index - 1, end.bytes}
		}
		s.marks = append(s.marks, next)
		return
	}
	s.marks[n-1] = next
}

// cutPrefix forgets what lies up to index.
func (s *sizes) cutPrefix(index uint64) {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].index > index })
	if i > 0 {
		s.start = s.marks[i-1]
	}
	s.marks = append(s.marks[:0], s.marks[i:]...)
}

// cutSuffix forgets what lies from index on, to the precision of a stride.
func (s *sizes) cutSuffix(index uint64) {
	i := sort.Search(len(s.marks), func(i int) bool { return s.marks[i].index >= index })
	s.marks = s.marks[:i]
}

func (s *sizes) total() int64 { return s.end().bytes - s.start.bytes }

// before returns the highest index behind which at least trailing bytes lie; the
// highest of all when trailing is 0.
func (s *sizes) before(trailing int64) uint64 {
	if trailing <= 0 {
		return ^uint64(0)
	}
	end := s.end().bytes
	i := sort.Search(len(s.marks), func(i int) bool { return end-s.marks[i].bytes < trailing })
	if i == 0 {
		return s.start.index
	}
	return s.marks[i-1].index
}

// measure fills sizes in at start, from a sample of what is there.
func (l *Log) measure() error {
	first, err := l.bolt.FirstIndex()
	if err != nil {
		return err
	}
	last, err := l.bolt.LastIndex()
	if err != nil || last == 0 {
		return err
	}
	count := last - first + 1
	step := max(count/samples, 1)
	var bytes, seen int64
	var entry raft.Log
	for index := first; index <= last; index += step {
		if err := l.bolt.GetLog(index, &entry); err != nil {
			continue // a gap that an installed snapshot left
		}
		bytes += int64(len(entry.Data) + len(entry.Extensions) + entryOverhead)
		seen++
	}
	average := bytes / max(seen, 1)
	for index := first; index <= last; {
		end := min(last, index+stride-1)
		l.sizes.append(end, average*int64(end-index+1))
		index = end + 1
	}
	l.sizes.start.index = first - 1
	return nil
}
