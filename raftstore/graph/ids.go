package graph

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// IDs appends the ids of nodes that this view gave to text, and sets ends[i] to
// where that of nodes[i] ends.
func (v *View) IDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	if v.closed {
		return text, ErrClosed
	}
	for len(nodes) > 0 {
		n := min(len(nodes), idsAtOnce)
		var err error
		if text, err = v.someIDs(nodes[:n], text, ends); err != nil {
			return text, err
		}
		nodes, ends = nodes[n:], ends[n:]
	}
	runtime.KeepAlive(v)
	return text, nil
}

// idsAtOnce is of how many nodes what is to be read is touched before it is read,
// so that the memory of all is waited for at once.
const idsAtOnce = 64

func (v *View) someIDs(nodes []tuple.Node, text []byte, ends []int) ([]byte, error) {
	var found [idsAtOnce]*node
	for i, n := range nodes {
		if n >= maxNodes {
			return text, ErrUnknownNode
		}
		if found[i] = v.x.nodes.find(uint32(n)); found[i] != nil {
			prefetch(unsafe.Pointer(found[i]))
		}
	}
	for i, n := range nodes {
		o := found[i]
		if o == nil || !v.x.seen(o, v.at) || v.x.runs.at(uint32(n)>>runBits).kind == contextType {
			return text, ErrUnknownNode
		}
		if int(o.length) > len(o.text) {
			prefetch(unsafe.Pointer(v.x.words.at(binary.NativeEndian.Uint32(o.text[:]))))
		}
	}
	for i, o := range found[:len(nodes)] {
		text = append(text, v.x.idOf(o)...)
		ends[i] = len(text)
	}
	return text, nil
}
