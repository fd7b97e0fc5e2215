package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
	"github.com/pemba-authz/pemba/server/api"
)

// The exit codes. Scripts rely on them; docs/cli.md and --help list them.
const (
	exitDone        = 0 // done; of a check: allowed
	exitNo          = 1 // of a check: denied; of a test, a claim or a comparison: it fails
	exitConditional = 2 // of a check: conditional
	exitError       = 3 // there is no answer: bad input, no server, a problem
)

const exitCodes = `Exit codes: 0 done (of a check: allowed), 1 no (of a check: denied; of schema check, test and
fmt --check: it fails), 2 of a check: conditional, 3 an error: there is no answer.`

// report prints an error as a person or a program reads it, and returns the exit code.
func report(w io.Writer, err error, asJSON bool) int {
	if err == nil {
		return exitDone
	}
	var quiet errQuiet
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	if asJSON {
		text, marshalErr := json.Marshal(problemOf(err), jsontext.Multiline(true))
		if marshalErr == nil {
			fmt.Fprintf(w, "%s\n", text)
			return exitError
		}
	}
	fmt.Fprint(w, render(err))
	return exitError
}

// problemOf gives every error the form of a problem document.
func problemOf(err error) *api.Problem {
	if p := api.AsProblem(err); p != nil {
		return p
	}
	code := api.InvalidRequest
	var dial *net.OpError
	switch {
	case errors.As(err, &dial):
		code = api.NotReady
	case errors.Is(err, context.Canceled):
		code = api.Cancelled
	case raftstore.IsJoinRefusal(err):
		code = api.JoinRefused
	}
	problem := api.NewProblem(code, err.Error())
	var diagnostics source.Diagnostics
	if errors.As(err, &diagnostics) {
		problem = api.NewProblem(api.InvalidSchema, diagnostics.Error())
		problem.Errors = faultsOf(diagnostics)
	}
	return problem
}

func faultsOf(ds source.Diagnostics) api.Faults {
	faults := make(api.Faults, len(ds))
	for i, d := range ds {
		faults[i] = api.Fault{Code: api.Code(d.Code), Message: d.Message, File: d.Place.File, Line: d.Place.Line, Column: d.Place.Column,
			Width: d.Width, Excerpt: d.Excerpt, Expected: d.Expected, Suggestion: d.Suggestion}
	}
	return faults
}

// render returns an error over as many lines as it needs.
func render(err error) string {
	var diagnostics source.Diagnostics
	if errors.As(err, &diagnostics) {
		return renderDiagnostics(diagnostics)
	}
	if problem := api.AsProblem(err); problem != nil {
		return renderProblem(problem)
	}
	var syntax *tuple.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("error: %s\n", renderSyntax(err, syntax))
	}
	var dial *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dial) && dial.Op == "dial":
		where := "" // a name that cannot be resolved has no address, and the cause names it
		if dial.Addr != nil {
			where = " at " + dial.Addr.String()
		}
		return fmt.Sprintf("error: no server answers%s (%v)\n       start one with pemba serve or pemba dev, or name another with --server or PEMBA_SERVER\n", where, dial.Err)
	case errors.As(err, &untrusted):
		return fmt.Sprintf("error: the server's certificate is not trusted: %v\n       --ca FILE names the authority to trust; a server's certificate has to name the host that is asked\n", untrusted.Err)
	case errors.As(err, &dial) && dial.Op == "remote error" && strings.Contains(dial.Err.Error(), "certificate"):
		return fmt.Sprintf("error: the server does not take this client's certificate, or wants one (%v)\n       --cert FILE and --key FILE name one\n", dial.Err)
	case errors.Is(err, raftstore.ErrInsecurePort):
		return fmt.Sprintf("error: %v\n       --cluster-cert, --cluster-key and --cluster-ca name certificates (pemba cluster ca init makes an authority for them);\n       --insecure-cluster does without, on a network that only the members reach\n", err)
	case errors.Is(err, context.Canceled):
		return "interrupted\n"
	case errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("error: %v (is the path right?)\n", err)
	}
	return fmt.Sprintf("error: %v\n", err)
}

// renderSyntax shows the text with a caret under the fault.
func renderSyntax(err error, syntax *tuple.SyntaxError) string {
	prefix := strings.TrimSuffix(err.Error(), syntax.Error())
	if len(syntax.Text) > 200 || syntax.Offset > len(syntax.Text) || strings.ContainsAny(syntax.Text, "\n\t") {
		return err.Error()
	}
	return fmt.Sprintf("%s%s\n       %s\n       %s^", prefix, syntax.Reason, syntax.Text,
		strings.Repeat(" ", len([]rune(syntax.Text[:syntax.Offset]))))
}

func renderDiagnostics(ds source.Diagnostics) string {
	var b strings.Builder
	for _, d := range ds {
		b.WriteString(d.Render())
	}
	return b.String()
}

// renderProblem shows what a server said: schema faults with their excerpts, others in a line each.
func renderProblem(p *api.Problem) string {
	var b strings.Builder
	if len(p.Errors) == 0 || p.Errors[0].File == "" {
		fmt.Fprintf(&b, "error: %s [%s]\n", strings.TrimSuffix(p.Title, "."), p.Code)
	}
	if len(p.Errors) == 0 && p.Detail != "" {
		fmt.Fprintf(&b, "       %s\n", p.Detail)
	}
	for _, f := range p.Errors {
		if f.File != "" {
			b.WriteString(faultDiagnostic(f).Render())
			continue
		}
		fmt.Fprintf(&b, "       %s\n", f)
	}
	if hint := hints[p.Code]; hint != "" {
		fmt.Fprintf(&b, "       %s\n", hint)
	}
	if p.Retry {
		b.WriteString("       the same request may succeed a little later\n")
	}
	return b.String()
}

// hints say in commands what to do about a problem.
var hints = map[api.Code]string{
	api.UnknownStore:   "pemba store create NAME creates a store, pemba store list names those that are there",
	api.NoSchema:       "pemba schema put FILE gives the store a schema",
	api.OrphanedTuples: "--orphans delete or --orphans ignore says what shall become of them",
	api.SchemaChanged:  "pemba schema get --json shows the schema that is there, with its etag",
}

func faultDiagnostic(f api.Fault) *source.Diagnostic {
	return &source.Diagnostic{Code: string(f.Code), Place: source.Place{File: f.File, Line: f.Line, Column: f.Column}, Width: f.Width,
		Excerpt: f.Excerpt, Message: f.Message, Expected: f.Expected, Suggestion: f.Suggestion}
}
