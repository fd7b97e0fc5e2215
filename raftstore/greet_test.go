package raftstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// authority is a certificate authority of a test, in a folder of its own.
type authority string

func newAuthority(t *testing.T, cluster string) authority {
	t.Helper()
	dir := t.TempDir()
	if err := pki.InitAuthority(dir, cluster, time.Now().AddDate(-2, 0, 0), 10*365*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	return authority(dir)
}

// issue makes a certificate as of an instant, valid for an hour.
func (a authority) issue(t *testing.T, role pki.Role, name string, now time.Time) pki.Files {
	t.Helper()
	out := t.TempDir()
	if _, err := pki.Issue(string(a), out, pki.Request{Role: role, Name: name, Valid: time.Hour}, now); err != nil {
		t.Fatal(err)
	}
	return pki.Files{Cert: filepath.Join(out, name+".crt"), Key: filepath.Join(out, name+".key"), CA: filepath.Join(string(a), pki.AuthorityCert)}
}

func load(t *testing.T, files pki.Files) *pki.Credentials {
	t.Helper()
	c, err := pki.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// securePort opens a cluster port with TLS, and peers that call others from it.
func securePort(t *testing.T, files pki.Files, handle peerHandler) (*clusterPort, *peers) {
	t.Helper()
	return impatientPort(t, files, 0, handle)
}

// impatientPort lets a stranger take only so long.
func impatientPort(t *testing.T, files pki.Files, patience time.Duration, handle peerHandler) (*clusterPort, *peers) {
	t.Helper()
	p, err := listen(portConfig{
		network: system{}, address: "127.0.0.1:0", clusterID: func() command.ClusterID { return command.ClusterID{1} },
		log: slog.New(slog.DiscardHandler), credentials: load(t, files), patience: patience,
		serve: func(ctx context.Context, conn net.Conn, _ pki.Identity) { servePeer(ctx, conn, handle) },
	})
	if err != nil {
		t.Fatal(err)
	}
	p.open()
	calls := newPeers(func(ctx context.Context, address string) (net.Conn, error) { return p.dial(ctx, address, prefacePeer) })
	t.Cleanup(func() { p.Close(); calls.Close() })
	return p, calls
}

func (p *clusterPort) count(why refusal) uint64 {
	p.strangers.mu.Lock()
	defer p.strangers.mu.Unlock()
	return p.strangers.counts[why]
}

// soon waits for a condition.
func soon(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestMembersSpeakMutualTLS(t *testing.T) {
	ca := newAuthority(t, "prod")
	server, _ := securePort(t, ca.issue(t, pki.RoleNode, "a", time.Now()), echo)
	_, calls := securePort(t, ca.issue(t, pki.RoleNode, "b", time.Now()), nil)
	got, err := calls.call(limited(t, 10*time.Second), server.Addr().String(), methodPropose, []byte("hello"))
	if err != nil || string(got) != "\x01hello" {
		t.Errorf("got %q, %v", got, err)
	}
	for why := range map[refusal]bool{refusedHandshake: true, refusedCertificate: true, refusedPreface: true, refusedCluster: true} {
		if n := server.count(why); n != 0 {
			t.Errorf("%d refusals for %s", n, why)
		}
	}
}

// Whoever is no member of this cluster is turned away before anything that it says
// is looked at, and is told why.
func TestPortRefusesOtherCertificates(t *testing.T) {
	now := time.Now()
	ca := newAuthority(t, "prod")
	good := ca.issue(t, pki.RoleNode, "a", now)
	other := newAuthority(t, "prod")
	bundle := func(files pki.Files) pki.Files { // trusts the server, so that only the server refuses
		files.CA = good.CA
		return files
	}
	staging := newAuthority(t, "staging")
	both := filepath.Join(t.TempDir(), "both.crt")
	writeBundle(t, both, filepath.Join(string(ca), pki.AuthorityCert), filepath.Join(string(staging), pki.AuthorityCert))
	trusting := good
	trusting.CA = both
	reached := false
	server, _ := securePort(t, trusting, func(context.Context, method, []byte) ([]byte, error) { reached = true; return nil, nil })
	for name, files := range map[string]pki.Files{
		"of another authority":                  bundle(other.issue(t, pki.RoleNode, "b", now)),
		"expired":                               bundle(ca.issue(t, pki.RoleNode, "b", now.AddDate(-1, 0, 0))),
		"not valid yet":                         bundle(ca.issue(t, pki.RoleNode, "b", now.AddDate(1, 0, 0))),
		"of a client":                           bundle(ca.issue(t, pki.RoleClient, "b", now)),
		"of another cluster, authority trusted": bundle(staging.issue(t, pki.RoleNode, "b", now)),
	} {
		t.Run(name, func(t *testing.T) {
			before := server.count(refusedCertificate)
			caller := load(t, files)
			conn, err := tls.Dial("tcp", server.Addr().String(), &tls.Config{
				InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
				GetClientCertificate: caller.Client().GetClientCertificate,
			})
			if err == nil { // with TLS 1.3 the refusal comes after the caller's handshake
				conn.Write(append([]byte{prefacePeer, prefaceVersion, 1}, make([]byte, 15)...))
				_, err = conn.Read(make([]byte, 1))
				conn.Close()
			}
			if err == nil {
				t.Fatal("it was let in")
			}
			soon(t, "the refusal is counted", func() bool { return server.count(refusedCertificate) == before+1 })
		})
	}
	t.Run("none", func(t *testing.T) {
		conn, err := tls.Dial("tcp", server.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
			conn.Close()
		}
		if err == nil {
			t.Fatal("it was let in")
		}
		soon(t, "the refusal is counted", func() bool { return server.count(refusedHandshake) > 0 })
	})
	t.Run("the caller refuses the server's", func(t *testing.T) {
		_, calls := securePort(t, other.issue(t, pki.RoleNode, "c", now), nil)
		_, err := calls.call(limited(t, 10*time.Second), server.Addr().String(), methodReadIndex, nil)
		if !errors.Is(err, ErrCertificate) {
			t.Errorf("got %v", err)
		}
	})
	if reached {
		t.Error("a request of a stranger was looked at")
	}
}

func writeBundle(t *testing.T, to string, from ...string) {
	t.Helper()
	var all []byte
	for _, name := range from {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	if err := os.WriteFile(to, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestEndsThatDifferInTLSSaySo(t *testing.T) {
	ca := newAuthority(t, "prod")
	secured, fromSecured := securePort(t, ca.issue(t, pki.RoleNode, "a", time.Now()), echo)
	plain, fromPlain := port(t, 1, echo)
	for name, call := range map[string]func() error{
		"TLS to none": func() error {
			_, err := fromSecured.call(limited(t, 10*time.Second), plain.Addr().String(), methodReadIndex, nil)
			return err
		},
		"none to TLS": func() error {
			_, err := fromPlain.call(limited(t, 10*time.Second), secured.Addr().String(), methodReadIndex, nil)
			return err
		},
	} {
		if err := call(); !errors.Is(err, ErrProtocol) || !errors.Is(err, errUnsent) || !strings.Contains(err.Error(), "TLS") {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, other := port(t, 2, nil)
	if _, err := other.call(limited(t, 10*time.Second), plain.Addr().String(), methodReadIndex, nil); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("another cluster: %v", err)
	}
}

// Strangers cost neither goroutines nor memory that stays, and members get in
// while they try.
func TestStrangersHoldNothing(t *testing.T) {
	ca := newAuthority(t, "prod")
	files := ca.issue(t, pki.RoleNode, "a", time.Now())
	server, _ := impatientPort(t, files, 2*time.Second, echo)
	address := server.Addr().String()
	before := runtime.NumGoroutine()
	var open []net.Conn
	defer func() {
		for _, c := range open {
			c.Close()
		}
	}()
	hello := clientHello(t)
	for i := range 4 * maxGreeting {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, conn)
		switch i % 6 {
		case 0: // says nothing
		case 1:
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: pemba\r\n\r\n")
		case 2:
			conn.Write([]byte{22, 3, 1, 0xff, 0xff}) // announces a record that may not be
		case 3:
			conn.Write(hello[:len(hello)/2]) // half a handshake
		case 4:
			conn.Write(hello) // and no more
		case 5:
			conn.Write(append([]byte{prefaceRaft, prefaceVersion, 1}, make([]byte, 15)...))
		}
	}
	soon(t, "all but the newest are dropped", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.conns) <= maxGreeting
	})
	_, calls := securePort(t, files, nil)
	if _, err := calls.call(limited(t, 10*time.Second), address, methodReadIndex, nil); err != nil {
		t.Errorf("a member did not get in: %v", err)
	}
	calls.Close()
	soon(t, "strangers are gone after the deadline", func() bool { // without their closing anything
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.conns) == 0 && len(server.greeting) == 0
	})
	soon(t, "their goroutines too", func() bool { return runtime.NumGoroutine() <= before+4 })
	if n := server.count(refusedHandshake); n < 4*maxGreeting {
		t.Errorf("%d refusals were counted, want at least %d", n, 4*maxGreeting)
	}
}

// clientHello is the first message of a real handshake.
func clientHello(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	b := make([]byte, 4096)
	n, err := far.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	near.Close()
	far.Close()
	return b[:n]
}

// A slow stranger that sends a byte now and then is cut off at the deadline, too.
func TestDeadlineIsOfTheWholeGreeting(t *testing.T) {
	ca := newAuthority(t, "prod")
	server, _ := impatientPort(t, ca.issue(t, pki.RoleNode, "a", time.Now()), time.Second, echo)
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	for _, b := range clientHello(t) {
		if _, err := conn.Write([]byte{b}); err != nil || server.count(refusedHandshake) > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	soon(t, "it is refused", func() bool { return server.count(refusedHandshake) > 0 })
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("refused after %s, so the test saw something else", took)
	}
}

// A member that sends garbage after its certificate loses that connection.
func TestMembersGarbageEndsItsConnection(t *testing.T) {
	ca := newAuthority(t, "prod")
	files := ca.issue(t, pki.RoleNode, "a", time.Now())
	server, _ := securePort(t, files, echo)
	frame := "\xff\xff\xff\xff" + strings.Repeat("x", 4096) // announces 4 GiB
	for _, garbage := range []string{"garbage without end", "P\x01" + strings.Repeat("\x00", 16), "P\x02\x01" + strings.Repeat("\x00", 15) + frame} {
		conn, err := tls.Dial("tcp", server.Addr().String(), load(t, files).Client())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, garbage)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.20q: the connection stays open", garbage)
		}
		conn.Close()
	}
	soon(t, "nothing is held", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.conns) == 0
	})
}

// An authority is replaced by another without a restart: first both are trusted,
// then certificates change, then the old one goes, and with it who still uses it.
func TestCertificatesAreReplacedWhileRunning(t *testing.T) {
	old, young := newAuthority(t, "prod"), newAuthority(t, "prod")
	now := time.Now()
	files := old.issue(t, pki.RoleNode, "a", now)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	oldCA, youngCA := files.CA, filepath.Join(string(young), pki.AuthorityCert)
	writeBundle(t, ca, oldCA)
	files.CA = ca
	server, _ := securePort(t, files, echo)
	member := old.issue(t, pki.RoleNode, "b", now)
	member.CA = ca
	caller, calls := securePort(t, member, nil)
	call := func() error {
		_, err := calls.call(limited(t, 10*time.Second), server.Addr().String(), methodReadIndex, nil)
		return err
	}
	reload := func() {
		t.Helper()
		for _, p := range []*clusterPort{server, caller} {
			if _, err := p.credentials.Reload(); err != nil {
				t.Fatal(err)
			}
			p.recheck()
		}
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	writeBundle(t, ca, oldCA, youngCA)
	reload()
	if err := call(); err != nil {
		t.Errorf("with both authorities: %v", err)
	}
	fresh := young.issue(t, pki.RoleNode, "a", now)
	writeBundle(t, files.Cert, fresh.Cert)
	if _, err := server.credentials.Reload(); err == nil {
		t.Error("a certificate that does not fit its key was taken")
	}
	writeBundle(t, files.Key, fresh.Key)
	reload()
	if err := call(); err != nil {
		t.Errorf("while the members differ: %v", err)
	}
	writeBundle(t, ca, youngCA)
	reload()
	soon(t, "who still uses the old authority is cut off", func() bool {
		server.mu.Lock()
		defer server.mu.Unlock()
		return len(server.conns) == 0
	})
	if err := call(); !errors.Is(err, ErrCertificate) && !errors.Is(err, errUnanswered) {
		t.Errorf("with the old certificate: %v", err)
	}
	fresh = young.issue(t, pki.RoleNode, "b", now)
	writeBundle(t, member.Cert, fresh.Cert)
	writeBundle(t, member.Key, fresh.Key)
	reload()
	soon(t, "the new certificate is taken", func() bool { return call() == nil })
}

func TestPlainPortStaysOnTheMachine(t *testing.T) {
	config := portConfig{network: system{}, address: "0.0.0.0:0", advertise: "localhost:1", clusterID: func() command.ClusterID { return command.ClusterID{} }, log: slog.New(slog.DiscardHandler)}
	if _, err := listen(config); !errors.Is(err, ErrInsecurePort) {
		t.Errorf("got %v", err)
	}
	config.insecure = true
	p, err := listen(config)
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
}

// The log says a line now and then, however many come.
func TestStrangersAreLoggedAtABoundedRate(t *testing.T) {
	var lines counter
	s := strangers{log: slog.New(slog.NewTextHandler(&lines, nil))}
	for range 1000 {
		s.refused(refusedPreface, &net.TCPAddr{}, io.EOF)
	}
	if lines.n != 1 || s.counts[refusedPreface] != 1000 {
		t.Errorf("%d lines, %d counted", lines.n, s.counts[refusedPreface])
	}
}

type counter struct {
	mu sync.Mutex // guards n
	n  int
}

func (c *counter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return len(b), nil
}

func TestCertificatesNameWhoTheyAre(t *testing.T) {
	ca := newAuthority(t, "prod")
	who, err := load(t, ca.issue(t, pki.RoleNode, "a", time.Now())).Identity()
	if want := (pki.Identity{Cluster: "prod", Role: pki.RoleNode, Name: "a"}); err != nil || who != want {
		t.Errorf("%v, %v", who, err)
	}
	if fmt.Sprint(who) != "pemba://prod/node/a" {
		t.Errorf("%s", who)
	}
	if _, err := pki.IdentityOf(&x509.Certificate{}); !errors.Is(err, pki.ErrNoIdentity) {
		t.Errorf("a certificate without a name: %v", err)
	}
}
