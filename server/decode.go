package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/pemba-authz/pemba/server/api"
)

// decode reads the request's JSON body into out, a pointer to a struct of
// package api, and returns the body. It is strict: names by exact case and once
// only, valid UTF-8, known members, bounded size and depth, nothing behind the
// end. All faults of the form are listed at once; nothing is in out then.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, out any) ([]byte, error) {
	if err := wantJSON(r); err != nil {
		return nil, err
	}
	body, err := s.body(w, r)
	if err != nil {
		return nil, err
	}
	return body, decodeStrict(body, s.limits.JSONDepth, out)
}

// body reads the whole body, up to the limit.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.limits.BodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, api.NewProblem(api.BodyTooLarge, fmt.Sprintf("a body may have %d bytes at most (body_bytes of /v1/limits)", tooLarge.Limit))
	case err != nil:
		return nil, api.NewProblem(api.MalformedJSON, "the body ended early: "+err.Error())
	}
	return body, nil
}

// decodeStrict is decode without HTTP.
func decodeStrict(body []byte, depth int, out any) error {
	if err := wellFormed(body, depth); err != nil {
		return err
	}
	if faults := checkShape(body, out); len(faults) > 0 {
		return faults.Problem()
	}
	if err := json.Unmarshal(body, out, json.RejectUnknownMembers(true)); err != nil {
		fault := api.Fault{Code: api.InvalidValue, Message: err.Error()}
		var semantic *json.SemanticError
		if errors.As(err, &semantic) {
			fault.Pointer = string(semantic.JSONPointer)
			if semantic.Err != nil {
				fault.Message = semantic.Err.Error()
			}
		}
		return api.Faults{fault}.Problem()
	}
	return nil
}

// wellFormed reads the body to its end: one JSON value, no name twice, no bad
// UTF-8, no deeper than depth.
func wellFormed(body []byte, depth int) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return api.NewProblem(api.MalformedJSON, "the body is empty; expected a JSON object")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(body))
	for {
		_, err := dec.ReadToken()
		if errors.Is(err, io.EOF) && dec.StackDepth() == 0 {
			return nil
		}
		if err != nil {
			return malformed(body, err)
		}
		if dec.StackDepth() > depth {
			return api.Faults{{Code: api.TooMany, Pointer: string(dec.StackPointer()),
				Message: fmt.Sprintf("the body is nested deeper than %d (json_depth of /v1/limits)", depth)}}.Problem()
		}
		if dec.StackDepth() == 0 && len(bytes.TrimSpace(body[dec.InputOffset():])) > 0 {
			line, column := position(body, dec.InputOffset())
			return api.NewProblem(api.MalformedJSON, fmt.Sprintf("line %d, column %d: something follows the end of the JSON value", line, column))
		}
	}
}

func malformed(body []byte, err error) error {
	var syntactic *jsontext.SyntacticError
	if !errors.As(err, &syntactic) {
		return api.NewProblem(api.MalformedJSON, err.Error())
	}
	line, column := position(body, syntactic.ByteOffset)
	message := "the text ends before the value does"
	if syntactic.Err != nil && !errors.Is(syntactic.Err, io.ErrUnexpectedEOF) {
		message = strings.TrimPrefix(syntactic.Err.Error(), "jsontext: ")
	}
	code := api.MalformedJSON
	if errors.Is(err, jsontext.ErrDuplicateName) {
		code = api.DuplicateMember
		message = fmt.Sprintf("the member %q stands twice in its object", syntactic.JSONPointer.LastToken())
	}
	fault := api.Fault{Code: code, Message: message, Pointer: string(syntactic.JSONPointer), Line: line, Column: column}
	return api.NewProblem(code, fmt.Sprintf("line %d, column %d: %s", line, column, message), fault)
}

// position turns an offset into a line and a column, both from 1; columns count
// characters.
func position(text []byte, offset int64) (line, column int) {
	before := text[:min(max(offset, 0), int64(len(text)))]
	line = 1 + bytes.Count(before, []byte{'\n'})
	column = 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return line, column
}

// wantJSON refuses a body of another media type.
func wantJSON(r *http.Request) error {
	if header := r.Header["Content-Type"]; len(header) > 0 && header[0] == api.JSON {
		return nil // as nearly everybody writes it
	}
	media, err := mediaType(r)
	if err == nil && media != api.JSON {
		err = unsupported(r, api.JSON)
	}
	return err
}

// mediaType returns the body's media type; any charset must be UTF-8.
func mediaType(r *http.Request) (string, error) {
	header := r.Header.Get("Content-Type")
	media, params, err := mime.ParseMediaType(header)
	if err != nil {
		return "", unsupported(r, api.JSON)
	}
	if charset := params["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") {
		return "", api.NewProblem(api.UnsupportedMediaType, fmt.Sprintf("the charset of a body is utf-8, not %q", charset))
	}
	return media, nil
}

func unsupported(r *http.Request, want string) error {
	return api.NewProblem(api.UnsupportedMediaType,
		fmt.Sprintf("the header Content-Type says %q; expected %s", r.Header.Get("Content-Type"), want))
}
