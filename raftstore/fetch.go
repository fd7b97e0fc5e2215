package raftstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// A node that rebuilds itself fetches another's state piece by piece: the other
// writes the stream of a snapshot to a file and hands that out.

const (
	fetchBytes   = 1 << 20         // of one piece
	fetchTimeout = 5 * time.Minute // for the other to write its stream, and between two pieces
)

// fetchRequest asks for a piece. With Handout 0 a new stream is written, of a
// state that has applied Least; the answer holds its number and no bytes.
type fetchRequest struct {
	From    string `json:"from"` // the node that asks
	Handout uint64 `json:"handout"`
	Offset  int64  `json:"offset"`
	Least   uint64 `json:"least"`
}

// handouts is the stream that a node hands out, one at a time.
type handouts struct {
	mu     sync.Mutex // guards what follows, and is held while a stream is written
	number uint64
	from   string // for whom it is
	size   int64
	spool  *os.File // nil: none
	expiry *time.Timer
	closed bool
}

// handleFetch answers with number and size of the stream (64 bits each) and the piece.
func (n *Node) handleFetch(ctx context.Context, payload []byte) ([]byte, error) {
	var request fetchRequest
	if err := json.Unmarshal(payload, &request, json.RejectUnknownMembers(false)); err != nil {
		return nil, err
	}
	h := &n.handouts
	if !h.mu.TryLock() {
		return nil, errors.New("this member hands its state out to another node already")
	}
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if request.Handout == 0 {
		if h.spool != nil && h.from != request.From {
			return nil, errors.New("this member hands its state out to another node already")
		}
		if err := errors.Join(h.drop(), n.handOut(ctx, request)); err != nil {
			return nil, err
		}
	}
	if h.spool == nil || request.Handout != 0 && request.Handout != h.number {
		return nil, errors.New("the stream is no longer there; begin anew")
	}
	h.expiry.Reset(fetchTimeout)
	answer := binary.BigEndian.AppendUint64(nil, h.number)
	answer = binary.BigEndian.AppendUint64(answer, uint64(h.size))
	if request.Handout == 0 {
		return answer, nil
	}
	piece := make([]byte, min(fetchBytes, max(h.size-request.Offset, 0)))
	read, err := h.spool.ReadAt(piece, request.Offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if request.Offset+int64(read) >= h.size {
		err = h.drop()
	} else {
		err = nil
	}
	return append(answer, piece[:read]...), err
}

// handOut writes a stream. The caller holds the handouts' mu.
func (n *Node) handOut(ctx context.Context, request fetchRequest) error {
	if err := n.state.WaitApplied(ctx, tuple.Revision(request.Least)); err != nil {
		return err
	}
	spool, err := newSpool(n.snapshots.dir)
	if err != nil {
		return err
	}
	size, err := n.snapshots.export(spool)
	if err != nil {
		return errors.Join(err, removeSpool(spool))
	}
	h := &n.handouts
	h.number++
	h.spool, h.size, h.from = spool, size, request.From
	number := h.number
	h.expiry = time.AfterFunc(fetchTimeout, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.number == number {
			h.drop()
		}
	})
	return nil
}

// drop removes the stream. The caller holds mu.
func (h *handouts) drop() error {
	if h.spool == nil {
		return nil
	}
	h.expiry.Stop()
	err := removeSpool(h.spool)
	h.spool = nil
	return err
}

func (h *handouts) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	return h.drop()
}

// fetchState writes another member's state to a file, from its beginning, and
// leaves the file there.
func (n *Node) fetchState(ctx context.Context, address string, least uint64, to *os.File) error {
	number, size, _, err := n.fetchPiece(ctx, address, fetchRequest{Least: least})
	if err != nil {
		return err
	}
	if err := roomToReceive(n.config.freeSpace, n.config.Dir, size); err != nil {
		return err
	}
	for offset := int64(0); offset < size; {
		_, _, piece, err := n.fetchPiece(ctx, address, fetchRequest{Handout: number, Offset: offset})
		if err == nil && len(piece) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return err
		}
		if _, err := to.Write(piece); err != nil {
			return err
		}
		offset += int64(len(piece))
	}
	_, err = to.Seek(0, io.SeekStart)
	return err
}

// roomToReceive refuses a stream that does not fit the disk beside what is there.
func roomToReceive(free func(string) (int64, error), dir string, size int64) error {
	room, err := free(dir)
	if err == nil && room < size+size/4 {
		err = fmt.Errorf("the disk has too little room for the state of another member: %d bytes are free, %d are needed", room, size+size/4)
	}
	return err
}

func (n *Node) fetchPiece(ctx context.Context, address string, request fetchRequest) (number uint64, size int64, piece []byte, err error) {
	request.From = n.id
	payload, err := json.Marshal(request)
	if err != nil {
		return 0, 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	answer, err := n.peers.call(ctx, address, methodFetch, payload)
	if err != nil {
		return 0, 0, nil, err
	}
	if len(answer) < 16 {
		return 0, 0, nil, fmt.Errorf("a piece of %d bytes", len(answer))
	}
	return binary.BigEndian.Uint64(answer), int64(binary.BigEndian.Uint64(answer[8:])), answer[16:], nil
}
