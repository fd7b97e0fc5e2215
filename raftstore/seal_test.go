package raftstore

import (
	"errors"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func sealText(t *testing.T, s *sealer, purpose, text string) string {
	t.Helper()
	sealed, err := s.seal(purpose, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealBindsPurposeAndCluster(t *testing.T) {
	s := newSealer(command.ClusterID{1}, command.Secret{1})
	sealed := sealText(t, s, "cursor", "page 2")
	if got, err := s.unseal("cursor", sealed); err != nil || string(got) != "page 2" {
		t.Errorf("got %q, %v", got, err)
	}
	if again := sealText(t, s, "cursor", "page 2"); again == sealed {
		t.Error("equal texts have equal seals: they show that nothing was written in between")
	}
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return s.unseal("curso", sealed) },
		"another secret": func() ([]byte, error) {
			return newSealer(command.ClusterID{1}, command.Secret{2}).unseal("cursor", sealed)
		},
		"a token": func() ([]byte, error) { return s.unseal("cursor", sealText(t, s, tokenPurpose, "7")) },
		"nothing": func() ([]byte, error) { return s.unseal("cursor", "") },
	} {
		if got, err := open(); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	if _, err := s.parseToken(tuple.Token(s.tag + "." + sealed)); !errors.Is(err, ErrTokenMalformed) {
		t.Errorf("a cursor read as a token gives %v", err)
	}
}

func FuzzToken(f *testing.F) {
	s := newSealer(command.ClusterID{1}, command.Secret{1})
	one, err := s.token(1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(one))
	f.Add("AAAAAAAA.")
	f.Add(".")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := s.parseToken(tuple.Token(text))
		if err == nil && r != 1 {
			t.Errorf("%q was never minted and reads as %d", text, r)
		}
		if err != nil && !errors.Is(err, ErrTokenMalformed) && !errors.Is(err, ErrTokenOtherCluster) {
			t.Errorf("%q gives %v", text, err)
		}
	})
}

func BenchmarkToken(b *testing.B) {
	s := newSealer(command.ClusterID{1}, command.Secret{1})
	for b.Loop() {
		token, err := s.token(7)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.parseToken(token); err != nil {
			b.Fatal(err)
		}
	}
}

// What other nodes, and this one in an earlier span, have sealed opens however
// many keys there are, and forgeries push no key out.
func TestSealManyKeys(t *testing.T) {
	reader := newSealer(command.ClusterID{1}, command.Secret{1})
	var tokens []tuple.Token
	for i := range 3 * openedKeys {
		token, err := newSealer(command.ClusterID{1}, command.Secret{1}).token(tuple.Revision(i))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	for range 2 {
		for i, token := range tokens {
			if r, err := reader.parseToken(token); err != nil || r != tuple.Revision(i) {
				t.Errorf("token %d reads as %d, %v", i, r, err)
			}
			forged := []byte(token)
			forged[len(forged)-2] ^= 1
			if _, err := reader.parseToken(tuple.Token(forged)); err == nil {
				t.Error("an altered token opens")
			}
		}
	}
}

// A token says nothing of its revision: neither by its text nor by whether it
// differs from the one before.
func TestTokensAllDiffer(t *testing.T) {
	s := newSealer(command.ClusterID{1}, command.Secret{1})
	seen := map[tuple.Token]bool{}
	for i := range 10_000 {
		token, err := s.token(tuple.Revision(i / 100))
		if err != nil {
			t.Fatal(err)
		}
		if seen[token] {
			t.Fatal("two answers have the same token: a tenant sees that nobody wrote in between")
		}
		seen[token] = true
	}
}
