package server

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/pemba-authz/pemba/server/api"
)

// buffer is room for the text of one body, used again and again. Nothing may
// point into it once it is given back.
type buffer struct{ text []byte }

var buffers = sync.Pool{New: func() any { return &buffer{text: make([]byte, 0, 1024)} }}

// largestBuffer is how large a buffer may be to be kept.
const largestBuffer = 1 << 20

// firstRead is for how much of a body there is room before any of it is there.
const firstRead = 16 << 10

// borrow returns an empty buffer.
func borrow() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) giveBack() {
	if cap(b.text) <= largestBuffer {
		b.text = b.text[:0]
		buffers.Put(b)
	}
}

// text reads a JSON body, which decode would read into its own memory.
func (s *Server) text(w http.ResponseWriter, r *http.Request) (string, error) {
	if err := wantJSON(r); err != nil {
		return "", err
	}
	if r.ContentLength < 0 || r.ContentLength > s.limits.BodyBytes {
		text, err := s.body(w, r)
		return string(text), err
	}
	in := borrow()
	defer in.giveBack()
	for n := int(r.ContentLength); len(in.text) < n; { // room grows with what arrives, not with what is announced
		have := len(in.text)
		in.text = slices.Grow(in.text, min(n-have, max(have, firstRead)))
		in.text = in.text[:min(n, cap(in.text))]
		if got, err := io.ReadFull(r.Body, in.text[have:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			in.text = in.text[:have+got]
			return "", api.NewProblem(api.MalformedJSON, "the body ended early: "+err.Error())
		}
	}
	return string(in.text), nil
}

// Values of headers that many answers share; nobody writes to them.
var (
	jsonHeader    = []string{api.JSON}
	noStoreHeader = []string{"no-store"}
	noSniffHeader = []string{"nosniff"}
)

// writeJSON writes an answer with status 200, and a line feed behind it.
func writeJSON(w http.ResponseWriter, out *buffer) {
	out.text = append(out.text, '\n')
	header := w.Header()
	header["Content-Type"], header["Cache-Control"], header["X-Content-Type-Options"] = jsonHeader, noStoreHeader, noSniffHeader
	if len(out.text) > 1024 { // net/http adds it to smaller ones
		header["Content-Length"] = []string{strconv.Itoa(len(out.text))}
	}
	w.WriteHeader(http.StatusOK)
	w.Write(out.text) // a client that is gone hears nothing
}
