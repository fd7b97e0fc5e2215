package server

import (
	"bufio"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/server/api"
)

// respond writes a JSON answer.
func respond(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return err
	}
	write(w, status, api.JSON, text)
	return nil
}

// respondProblem writes a problem document.
func respondProblem(w http.ResponseWriter, problem *api.Problem) {
	text, err := json.Marshal(problem)
	if err != nil { // a place or a message with bad UTF-8: the code is what matters
		bare := api.NewProblem(problem.Code, problem.Title)
		text, _ = json.Marshal(bare)
	}
	if problem.Code == api.Overloaded {
		w.Header().Set("Retry-After", "1")
	}
	write(w, problem.Status, api.ProblemJSON, text)
}

func write(w http.ResponseWriter, status int, media string, text []byte) {
	header := w.Header()
	header.Set("Content-Type", media)
	header.Set("Content-Length", strconv.Itoa(len(text)+1))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // a client that is gone hears nothing
}

// wantsStream says whether the request accepts NDJSON.
func wantsStream(r *http.Request) bool {
	if accept := r.Header["Accept"]; len(accept) == 0 || len(accept) == 1 && accept[0] == api.JSON {
		return false // as nearly everybody writes it
	}
	return accepts(r, api.NDJSON)
}

// accepts says whether the request names a media type that it accepts.
func accepts(r *http.Request, media string) bool {
	for _, accept := range r.Header.Values("Accept") {
		for listed := range strings.SplitSeq(accept, ",") {
			name, _, _ := strings.Cut(listed, ";")
			if strings.EqualFold(strings.TrimSpace(name), media) {
				return true
			}
		}
	}
	return false
}

// lines writes an NDJSON stream. Its last line is an end or a problem; a client
// that sees neither knows that the stream was cut.
type lines struct {
	w   http.ResponseWriter
	buf *bufio.Writer
	n   int
}

// flushEvery is how many lines may wait before they are sent.
const flushEvery = 256

func newLines(w http.ResponseWriter, pace *pace, patience time.Duration) *lines {
	header := w.Header()
	header.Set("Content-Type", api.NDJSON)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	return &lines{w: w, buf: bufio.NewWriterSize(patient{w, pace, patience}, 32<<10)}
}

// patient gives every write of a stream its own deadline, in place of the whole
// answer's. A client may be slow to read: the seat in the lane is for others
// meanwhile.
type patient struct {
	http.ResponseWriter
	pace     *pace // nil: the stream needs no seat
	patience time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	if p.pace != nil {
		p.pace.leave()
	}
	err := http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(p.patience))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, broken(err)
	}
	n, err := p.ResponseWriter.Write(b)
	return n, broken(err)
}

func (l *lines) write(item any) error {
	text, err := json.Marshal(item, json.Deterministic(true))
	if err != nil {
		return err
	}
	return l.writeLine(append(text, '\n'))
}

// writeLine writes a line that has its end.
func (l *lines) writeLine(text []byte) error {
	if _, err := l.buf.Write(text); err != nil {
		return err
	}
	if l.n++; l.n%flushEvery == 0 {
		return l.flush()
	}
	return nil
}

func (l *lines) flush() error {
	if err := l.buf.Flush(); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

// end writes the last line: the problem where there is one.
func (l *lines) end(evaluated api.Evaluated, problem *api.Problem) {
	last := api.StreamEnd{Problem: problem}
	if problem == nil {
		last.End = &evaluated
	}
	if l.write(last) == nil {
		l.flush() // a client that is gone hears nothing
	}
}
