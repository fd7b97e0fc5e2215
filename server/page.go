package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/pemba-authz/pemba/server/api"
	"github.com/pemba-authz/pemba/server/body"
)

// page is one page of a list: the snapshot that all of its pages share, where it
// begins, and how many entries it may have.
type page struct {
	*snapshot
	digest [32]byte
	after  string // the last entry of the page before; "" for the first page
	limit  int
}

// page opens the snapshot of a page: a new one, or the cursor's. The key is the
// request without its page and its consistency; faults are those found so far.
func (s *Server) page(r *http.Request, asked api.Page, when api.Moment, key any, faults api.Faults) (*page, error) {
	if asked.Limit < 0 || asked.Limit > s.limits.PageEntries {
		fault := s.limitFault("/limit", itoa(asked.Limit))
		fault.Suggestion += ", or accept " + api.NDJSON + " to get all"
		faults = append(faults, fault)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	p := &page{limit: asked.Limit}
	if p.limit == 0 {
		p.limit = s.limits.DefaultPageEntries
	}
	var err error
	if p.digest, err = requestDigest(r.Pattern, key); err != nil {
		return nil, err
	}
	if asked.Cursor == "" {
		p.snapshot, err = s.open(r.Context(), r.PathValue("store"), when)
		return p, err
	}
	c, err := s.openCursor(asked.Cursor, p.digest)
	if err != nil {
		return nil, err
	}
	if err := s.agrees(c, when.Consistency); err != nil {
		return nil, err
	}
	p.after = c.After
	p.snapshot, err = s.reopen(r.Context(), r.PathValue("store"), c)
	return p, err
}

func (s *Server) limitFault(pointer, limit string) api.Fault {
	return api.Fault{Code: api.InvalidValue, Pointer: pointer, Message: "a page cannot have " + limit + " entries",
		Expected: "0 to " + itoa(s.limits.PageEntries) + " (page_entries of /v1/limits)", Suggestion: "follow the cursor"}
}

// agrees refuses a cursor beside a consistency that its revision cannot give.
func (s *Server) agrees(c cursor, wanted *api.Consistency) error {
	if _, err := s.consistency(wanted); err != nil || wanted == nil {
		return err
	}
	if wanted.AtExactSnapshot != nil {
		if revision, err := s.node.ParseToken(wanted.AtExactSnapshot.Token); err != nil || revision != c.Revision {
			return cursorProblem(api.ForeignCursor, "the cursor is of another revision than at_exact_snapshot names", err)
		}
	}
	if wanted.AtLeastAsFresh != nil {
		if revision, err := s.node.ParseToken(wanted.AtLeastAsFresh.Token); err != nil || revision > c.Revision {
			return cursorProblem(api.ForeignCursor, "the cursor is of an older revision than at_least_as_fresh names", err)
		}
	}
	return nil
}

// next makes the cursor of the page behind this one.
func (s *Server) next(p *page, last string) (string, error) {
	p.Keep()
	return s.sealCursor(cursor{Store: p.Store(), Request: p.digest, Revision: p.Revision(), Instant: p.now.UnixNano(), After: last})
}

// appender appends the JSON of an entry.
type appender[T any] func(b []byte, entry *T) ([]byte, error)

// answerPage writes a list, as one page or as a stream of all. The sequence
// yields entries behind p.after, each with what names it in a cursor; member is
// where the page has them.
func answerPage[T any](s *Server, w http.ResponseWriter, r *http.Request, p *page, member string, write appender[T],
	entries func(yield func(T, string, error) bool)) error {
	if wantsStream(r) {
		return answerStream(s, w, r, p, write, entries)
	}
	out := borrow()
	defer out.giveBack()
	out.text = append(out.text, `{"`+member+`":[`...)
	var (
		last   string
		n      int
		more   bool
		failed error
	)
	entries(func(entry T, key string, err error) bool {
		if err == nil && n%paceEvery == 0 {
			err = p.pace.Err()
		}
		if failed = err; err != nil {
			return false
		}
		if more = n == p.limit; more {
			return false
		}
		if n > 0 {
			out.text = append(out.text, ',')
		}
		n, last = n+1, key
		out.text, failed = write(out.text, &entry)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	cursor := ""
	if more {
		var err error
		if cursor, err = s.next(p, last); err != nil {
			return err
		}
	}
	out.text = body.AppendListEnd(out.text, cursor, &p.evaluated)
	p.pace.leave()
	writeJSON(w, out)
	return nil
}

// paceEvery is after how many entries a list asks whether it may go on.
const paceEvery = 32

// answerStream writes all entries as lines. What goes wrong before the first one
// is an ordinary problem; later, it is the last line.
func answerStream[T any](s *Server, w http.ResponseWriter, r *http.Request, p *page, write appender[T], entries func(yield func(T, string, error) bool)) error {
	var (
		out    *lines
		line   []byte
		n      int
		failed error
	)
	entries(func(entry T, _ string, err error) bool {
		if err == nil && n%paceEvery == 0 {
			err = p.pace.Err()
		}
		if failed = err; err != nil {
			return false
		}
		if out == nil {
			out = newLines(w, &p.pace, s.config.RequestTimeout)
		}
		n++
		if line, failed = write(line[:0], &entry); failed == nil {
			line = append(line, '\n')
			failed = out.writeLine(line)
		}
		return failed == nil
	})
	if failed != nil && out == nil {
		return failed
	}
	if out == nil {
		out = newLines(w, &p.pace, s.config.RequestTimeout)
	}
	if errors.Is(failed, errStreamBroken) {
		return nil // nobody listens
	}
	if failed != nil {
		out.end(p.evaluated, s.problem(r.Pattern, failed))
		return nil
	}
	out.end(p.evaluated, nil)
	return nil
}

func itoa(n int) string { return strconv.Itoa(n) }
