package raftstore

import (
	"errors"
	"testing"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/schema/tuple"
)

func TestSealBindsPurposeAndCluster(t *testing.T) {
	s := newSealer(command.ClusterID{1}, command.Secret{1})
	sealed := s.seal("cursor", []byte("page 2"))
	if got, err := s.unseal("cursor", sealed); err != nil || string(got) != "page 2" {
		t.Errorf("got %q, %v", got, err)
	}
	if again := s.seal("cursor", []byte("page 2")); again == sealed {
		t.Error("equal texts have equal seals: they show that nothing was written in between")
	}
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return s.unseal("curso", sealed) },
		"another secret": func() ([]byte, error) {
			return newSealer(command.ClusterID{1}, command.Secret{2}).unseal("cursor", sealed)
		},
		"a token": func() ([]byte, error) { return s.unseal("cursor", string(s.token(7))) },
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
	f.Add(string(s.token(1)))
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
		if _, err := s.parseToken(s.token(7)); err != nil {
			b.Fatal(err)
		}
	}
}
