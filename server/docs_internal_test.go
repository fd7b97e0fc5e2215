package server

import (
	"os"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/pemba-authz/pemba/server/api"
)

// Every JSON example of the documentation is a request that is read, or an answer
// that is given.
func TestDocumentedJSON(t *testing.T) {
	text, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```json\n")[1:]
	if len(blocks) < 4 {
		t.Fatalf("docs/http.md has %d examples", len(blocks))
	}
	for _, block := range blocks {
		example, _, _ := strings.Cut(block, "```")
		var faults []string
		for _, out := range []any{&api.CheckRequest{}, &api.WriteRequest{}, &api.PutSchemaRequest{}} {
			if err := decodeStrict([]byte(example), 64, out); err != nil {
				faults = append(faults, err.Error())
			}
		}
		for _, out := range []any{&api.CheckResponse{}, &api.Problem{}} {
			if err := json.Unmarshal([]byte(example), out, json.RejectUnknownMembers(true)); err != nil {
				faults = append(faults, err.Error())
			}
		}
		if len(faults) == 5 {
			t.Errorf("%s is nothing that the server reads or says:\n%s", example, strings.Join(faults, "\n"))
		}
	}
}
