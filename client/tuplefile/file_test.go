package tuplefile_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pemba-authz/pemba/client/tuplefile"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/schema/tuple"
)

var formats = []tuplefile.Format{tuplefile.Text, tuplefile.CSV, tuplefile.JSON}

// lines returns what Read yields, a line each: the place with the tuple, or with the fault.
func lines(text string, format tuplefile.Format) []string {
	var out []string
	for e, err := range tuplefile.Read("f", strings.NewReader(text), format) {
		var d *source.Diagnostic
		switch {
		case errors.As(err, &d):
			out = append(out, d.Error())
		case err != nil:
			out = append(out, "error: "+err.Error())
		default:
			out = append(out, e.Place.String()+" "+e.Tuple.String())
		}
	}
	return out
}

func TestRead(t *testing.T) {
	const whole = `document:a#viewer@group:eng#member with from_office {"cidr":"10.0.0.0/8"} until 2030-01-01T00:00:00Z`
	tests := []struct {
		name   string
		format tuplefile.Format
		text   string
		want   []string // the beginnings of lines
	}{
		{"text", tuplefile.Text, "# who\n\ndocument:a#viewer@user:ana\r\n  // more\n  " + whole + "\n",
			[]string{"f:3:1 document:a#viewer@user:ana", "f:5:1 " + whole}},
		{"text goes on behind a fault", tuplefile.Text, "document:a#viewer\n  document:a#viewer@user\ndocument:b#viewer@user:*",
			[]string{"f:1:18: a tuple needs '@'", "f:2:", "f:3:1 document:b#viewer@user:*"}},
		{"text with a line that is no line", tuplefile.Text, strings.Repeat("x", 1<<17), []string{"f:1:1: the line is longer"}},
		{"csv in its own order", tuplefile.CSV, "subject,object,relation\nuser:ana,document:a,viewer\n",
			[]string{"f:2:1 document:a#viewer@user:ana"}},
		{"csv with all columns", tuplefile.CSV,
			"object,relation,subject,condition,context,expires\n" +
				`document:a,viewer,group:eng#member,from_office,"{""cidr"":""10.0.0.0/8""}",2030-01-01T00:00:00Z` + "\n",
			[]string{"f:2:1 " + whole}},
		{"csv faults with their columns", tuplefile.CSV,
			"object,relation,subject,expires\ndocument,viewer,user:ana,\ndocument:a,viewer,user:ana,tomorrow\ndocument:a,viewer\ndocument:b,viewer,user:bo,\n",
			[]string{"f:2:1: object: ", `f:3:28: "tomorrow" is not a time`, "f:4:1: the line has 2 fields, the header 4", "f:5:1 document:b#viewer@user:bo"}},
		{"csv without a column", tuplefile.CSV, "object,relation\n", []string{"f:1:1: the column subject is missing"}},
		{"csv with a wrong column", tuplefile.CSV, "object,relatoin,subject\n", []string{`f:1:1: there is no column "relatoin"`}},
		{"csv with an open quote", tuplefile.CSV, "object,relation,subject\n\"" + strings.Repeat("x,\n", 1<<16), []string{"f:"}},
		{"json array", tuplefile.JSON, "[\n {\"object\":\"document:a\",\"relation\":\"viewer\",\"subject\":\"user:ana\"},\n {\"object\":\"document:b\",\"relation\":\"viewer\",\"subject\":\"user\"}\n]",
			[]string{"f:2:2 document:a#viewer@user:ana", "f:3:2: subject: "}},
		{"json lines with an end", tuplefile.JSON, `{"object":"document:a","relation":"viewer","subject":"user:ana"}` + "\n" + `{"end":{"token":"x"}}`,
			[]string{"f:1:1 document:a#viewer@user:ana"}},
		{"json lines of a cut stream", tuplefile.JSON, `{"problem":{"code":"internal","title":"","status":500,"detail":"","type":""}}`,
			[]string{"f:1:1: the stream that this file was made from ended in a problem"}},
		{"json answer", tuplefile.JSON, `{"tuples":[{"object":"document:a","relation":"viewer","subject":"user:ana"}],"token":"x"}`,
			[]string{"f:1:1 document:a#viewer@user:ana"}},
		{"json with an unknown member", tuplefile.JSON, `{"objet":"document:a","relation":"viewer","subject":"user:ana"}`,
			[]string{`f:1:1: a tuple has no member "objet"`}},
		{"json with a member twice", tuplefile.JSON, `{"object":"document:a","object":"document:b","relation":"viewer","subject":"user:ana"}`,
			[]string{"f:1:"}},
		{"json in another case", tuplefile.JSON, `{"Object":"document:a","relation":"viewer","subject":"user:ana"}`,
			[]string{`f:1:1: a tuple has no member "Object"`}},
		{"json cut off", tuplefile.JSON, `[{"object":"document:a"`, []string{"f:1:"}},
		{"json of another kind", tuplefile.JSON, "17\n\"x\"", []string{"f:1:2: expected a tuple", "f:2:3: expected a tuple"}},
		{"nothing", tuplefile.JSON, "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := lines(test.text, test.format)
			if !slices.EqualFunc(got, test.want, strings.HasPrefix) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestWriteIsReadBack(t *testing.T) {
	var want []tuple.Tuple
	for _, text := range []string{
		"document:a#viewer@user:ana", "document:a#viewer@user:*", "document:a,b#viewer@group:\"q\"#member",
		`document:ü#viewer@user:ana with from_office {"a":[1,2.50],"b":"x, \"y\""} until 2030-01-01T00:00:00.5Z`,
	} {
		tup, err := tuple.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, tup)
	}
	for _, format := range formats {
		t.Run(string(format), func(t *testing.T) {
			var file bytes.Buffer
			w, err := tuplefile.NewWriter(&file, format)
			if err != nil {
				t.Fatal(err)
			}
			for _, tup := range want {
				if err := w.Write(tup); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
			entries, err := tuplefile.ReadAll("f", &file, format)
			if err != nil {
				t.Fatal(err)
			}
			var got []tuple.Tuple
			for _, e := range entries {
				got = append(got, e.Tuple)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestReadAllNamesEveryFault(t *testing.T) {
	_, err := tuplefile.ReadAll("f", strings.NewReader("a\nb\ndocument:a#viewer@user:ana\nc"), tuplefile.Text)
	var faults source.Diagnostics
	if !errors.As(err, &faults) || len(faults) != 3 || faults[2].Place.Line != 4 {
		t.Errorf("ReadAll = %v, want three faults, the last in line 4", err)
	}
}

func TestFormats(t *testing.T) {
	for name, want := range map[string]tuplefile.Format{"a.csv": tuplefile.CSV, "a.NDJSON": tuplefile.JSON, "a.json": tuplefile.JSON, "-": tuplefile.Text} {
		if got := tuplefile.FormatOf(name); got != want {
			t.Errorf("FormatOf(%s) = %s, want %s", name, got, want)
		}
	}
	if _, err := tuplefile.ParseFormat("jsn"); err == nil || !strings.Contains(err.Error(), "did you mean json?") {
		t.Errorf("ParseFormat(jsn): %v", err)
	}
}

// FuzzRead holds that no input panics or is read for ever, and that what is read
// can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add("document:a#viewer@user:ana\n#\nx", 0)
	f.Add("object,relation,subject\ndocument:a,viewer,user:ana\n", 1)
	f.Add(`[{"object":"document:a","relation":"viewer","subject":"user:ana"}]`, 2)
	f.Add(`{"tuples":[{}]}{"end":1} 7`, 2)
	f.Fuzz(func(t *testing.T, text string, n int) {
		format := formats[uint(n)%3]
		for e, err := range tuplefile.Read("f", strings.NewReader(text), format) {
			if err != nil {
				continue
			}
			if e.Place.Line < 1 || e.Place.Column < 1 {
				t.Errorf("%v stands at %v", e.Tuple, e.Place)
			}
			again, err := tuplefile.ReadAll("f", strings.NewReader(e.Tuple.String()), tuplefile.Text)
			if err != nil || len(again) != 1 || again[0].Tuple != e.Tuple {
				t.Errorf("%s is read again as %v, %v", fmt.Sprint(e.Tuple), again, err)
			}
		}
	})
}
