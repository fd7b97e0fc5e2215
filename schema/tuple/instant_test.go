package tuple_test

import (
	"testing"
	"time"

	"github.com/pemba-authz/pemba/schema/tuple"
)

func TestInstantsReachBeyondSignedNanoseconds(t *testing.T) {
	for _, text := range []string{"1970-01-01T00:00:00.000000001Z", "2030-01-01T00:00:00.123456789Z", "2262-04-12T00:00:00Z", "2300-12-01T00:00:00Z", "2553-12-31T23:59:59Z"} {
		want, err := tuple.ParseTime(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := tuple.Instant(tuple.Nanoseconds(want)); !got.Equal(want) {
			t.Errorf("%s came back as %s", text, got)
		}
		e := tuple.Edge{Expires: tuple.Nanoseconds(want)}
		if now := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC); e.ExpiredAt(now.UnixNano()) != want.Before(now) {
			t.Errorf("%s expired in 2200: %v", text, e.ExpiredAt(now.UnixNano()))
		}
	}
	for _, text := range []string{"1969-12-31T23:59:59Z", "2554-01-01T00:00:00Z"} {
		if _, err := tuple.ParseTime(text); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
