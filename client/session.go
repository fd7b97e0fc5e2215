package client

import (
	"sync"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// session holds the token of the last change that was made through it.
type session struct {
	writing sync.Mutex // held over a whole write: tokens do not tell which of two is newer, their order does
	mu      sync.Mutex // guards token
	token   tuple.Token
}

func (s *session) get() tuple.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.token
}

func (s *session) set(token tuple.Token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Session returns the same store with a memory: what is asked through it is at
// least as fresh as what was written through it, on whichever server it is
// asked. Its writes go one after the other. A request with a consistency of its
// own keeps that.
func (s *Store) Session() *Store {
	return &Store{client: s.client, name: s.name, session: &session{}}
}

// Token returns the token of the session's last write; empty when there is none.
func (s *Store) Token() tuple.Token {
	if s.session == nil {
		return ""
	}
	return s.session.get()
}

// Observe makes the session at least as fresh as a token from elsewhere: one
// kept beside the content that it protects, as the Zanzibar paper has it
// (section 2.2). It replaces the token that the session held.
func (s *Store) Observe(token tuple.Token) {
	if s.session != nil && token != "" {
		s.session.set(token)
	}
}

// change runs a write and remembers its token.
func (s *Store) change(write func() (tuple.Token, error)) error {
	if s.session == nil {
		_, err := write()
		return err
	}
	s.session.writing.Lock()
	defer s.session.writing.Unlock()
	token, err := write()
	if err == nil && token != "" {
		s.session.set(token)
	}
	return err
}
