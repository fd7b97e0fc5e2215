package raftstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// Every connection to the cluster port begins with TLS, where the cluster has it,
// and then a preface: what the connection is for, the version of the protocol, and
// the dialler's cluster. The other end answers with a byte: welcome, or why not.
// All of this is over before anybody else gets to see the connection.
const (
	prefaceRaft    = 'R'
	prefacePeer    = 'P'
	prefaceVersion = 2 // 1 had no answer
	prefaceBytes   = 2 + len(command.ClusterID{})

	// greetTimeout bounds all of it. A stranger holds a connection no longer.
	greetTimeout = 5 * time.Second

	// maxGreeting is how many connections may be at it at once. Beyond, the oldest
	// is dropped: a member needs milliseconds, who holds connections open needs them
	// to last.
	maxGreeting = 128
)

// The answers to a preface.
const (
	answerWelcome      = 0
	answerOtherCluster = 1
	answerVersion      = 2
)

// wait lets a connection be greeted, and drops the oldest that waits where there
// are too many.
func (p *clusterPort) wait(t *tracked) {
	p.mu.Lock()
	p.greeting = append(p.greeting, t)
	var oldest *tracked
	if len(p.greeting) > maxGreeting {
		oldest = p.greeting[0]
		p.greeting = slices.Delete(p.greeting, 0, 1)
	}
	p.mu.Unlock()
	if oldest != nil {
		oldest.Close()
	}
}

func (p *clusterPort) greeted(t *tracked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.greeting, t); i >= 0 {
		p.greeting = slices.Delete(p.greeting, i, i+1)
	}
}

// greet finds out whether a connection is a member's, and what it is for. An error
// comes with the kind of refusal.
func (p *clusterPort) greet(t *tracked) (kind byte, why refusal, err error) {
	t.raw.SetDeadline(time.Now().Add(p.patience))
	if p.credentials != nil {
		secured := tls.Server(t.raw, p.credentials.Server())
		if err := p.secure(p.ctx, t, secured, x509.ExtKeyUsageClientAuth); errors.Is(err, pki.ErrCertificate) {
			return 0, refusedCertificate, err
		} else if err != nil {
			return 0, refusedHandshake, err
		}
	}
	var preface [prefaceBytes]byte
	if _, err := io.ReadFull(t, preface[:]); err != nil {
		return 0, refusedPreface, err
	}
	if kind = preface[0]; kind != prefaceRaft && kind != prefacePeer {
		return 0, refusedPreface, errors.New("this is no preface; does the other end use TLS, and this one does not?")
	}
	switch {
	case preface[1] != prefaceVersion:
		t.Write([]byte{answerVersion})
		return 0, refusedPreface, fmt.Errorf("the other end speaks version %d of the protocol, this one %d", preface[1], prefaceVersion)
	case !p.sameCluster(preface[2:]):
		t.Write([]byte{answerOtherCluster})
		return 0, refusedCluster, errors.New("the other end belongs to another cluster")
	}
	if _, err := t.Write([]byte{answerWelcome}); err != nil {
		return 0, refusedPreface, err
	}
	t.raw.SetDeadline(time.Time{})
	return kind, "", nil
}

// sameCluster lets in whoever does not know its cluster yet: who joins.
func (p *clusterPort) sameCluster(theirs []byte) bool {
	var id command.ClusterID
	copy(id[:], theirs)
	mine := p.clusterID()
	return id == mine || id.IsZero() || mine.IsZero()
}

// secure does a handshake; from then on the connection is TLS. What the other end
// has to be allowed to do is its usage.
func (p *clusterPort) secure(ctx context.Context, t *tracked, secured *tls.Conn, theirs x509.ExtKeyUsage) error {
	if err := secured.HandshakeContext(ctx); err != nil {
		return err
	}
	chain := secured.ConnectionState().PeerCertificates
	from, err := p.credentials.Verify(chain, theirs, time.Now())
	if err != nil {
		return err
	}
	t.Conn, t.from = secured, from
	p.mu.Lock()
	defer p.mu.Unlock()
	t.recheck = func() error {
		_, err := p.credentials.Verify(chain, theirs, time.Now())
		return err
	}
	return nil
}

// recheck ends the connections whose other end would not be let in any more: its
// certificate has run out, or its authority is no longer trusted.
func (p *clusterPort) recheck() {
	p.closeConns(func(t *tracked) bool {
		if t.recheck == nil {
			return false
		}
		err := t.recheck()
		if err != nil {
			p.strangers.refused(refusedCertificate, t.raw.RemoteAddr(), err)
		}
		return err != nil
	})
}

// introduce is the dialler's part of greet.
func (p *clusterPort) introduce(ctx context.Context, t *tracked, kind byte) error {
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	t.raw.SetDeadline(deadline)
	if p.credentials != nil {
		secured := tls.Client(t.raw, p.credentials.Client())
		if err := p.secure(ctx, t, secured, x509.ExtKeyUsageServerAuth); err != nil {
			return explainGreeting(err)
		}
	}
	id := p.clusterID()
	if _, err := t.Write(append([]byte{kind, prefaceVersion}, id[:]...)); err != nil {
		return explainGreeting(err)
	}
	var answer [1]byte
	if _, err := io.ReadFull(t, answer[:]); err != nil {
		return explainGreeting(err)
	}
	switch answer[0] {
	case answerWelcome:
		return t.raw.SetDeadline(time.Time{})
	case answerOtherCluster:
		return ErrOtherCluster
	}
	return fmt.Errorf("%w: it does not take version %d", ErrProtocol, prefaceVersion)
}

// explainGreeting says what is behind the errors of a handshake that the other
// end broke off.
func explainGreeting(err error) error {
	var remote *net.OpError
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, pki.ErrCertificate):
		return fmt.Errorf("%w: of the member: %w", ErrCertificate, err)
	case errors.As(err, &remote) && remote.Op == "remote error":
		return fmt.Errorf("%w: of this node, by the member; the member's log says why (%w)", ErrCertificate, err)
	case errors.As(err, &header):
		return fmt.Errorf("%w: it does not speak TLS on this port (%w)", ErrProtocol, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("%w: it closed the connection; is it a cluster port, and do both ends use TLS or neither?", ErrProtocol)
	}
	return err
}
