package tuple

import "iter"

// Cursor says where in a list a reader goes on reading: 0 is the beginning, and
// as what comes next the end. Anything else is the reader's own, and means
// nothing to another list. No reader sets OverCursor.
type Cursor uint64

// OverCursor is the bit of a cursor that belongs to whoever lays a list of its
// own over a reader's.
const OverCursor Cursor = 1 << 63

// listChunk is how many items List reads at a time.
const listChunk = 64

// List yields all that a reader's method lists, which reads a chunk from a cursor
// on. An error ends it.
func List[T any](read func(from Cursor, into []T) (n int, next Cursor, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		chunk := make([]T, listChunk)
		for from := Cursor(0); ; {
			n, next, err := read(from, chunk)
			for _, item := range chunk[:n] {
				if !yield(item, nil) {
					return
				}
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			if from = next; from == 0 {
				return
			}
		}
	}
}

// IDs appends the ids of nodes to text, one behind the other, and sets ends[i] to
// where that of nodes[i] ends: for a reader that has nothing to gain from being
// asked for many at once.
func IDs(object func(Node) (TypeID, string, error), nodes []Node, text []byte, ends []int) ([]byte, error) {
	for i, n := range nodes {
		_, id, err := object(n)
		if err != nil {
			return text, err
		}
		text = append(text, id...)
		ends[i] = len(text)
	}
	return text, nil
}
