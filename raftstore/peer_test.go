package raftstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/pki"
)

// port opens a cluster port of a cluster, with peers that call others from it.
func port(t *testing.T, cluster byte, handle peerHandler) (*clusterPort, *peers) {
	t.Helper()
	id := command.ClusterID{cluster}
	p, err := listen(portConfig{
		network: system{}, address: "127.0.0.1:0", clusterID: func() command.ClusterID { return id }, log: slog.New(slog.DiscardHandler),
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

func echo(_ context.Context, m method, payload []byte) ([]byte, error) {
	return append([]byte{byte(m)}, payload...), nil
}

func limited(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestCallsShareAConnection(t *testing.T) {
	server, _ := port(t, 1, echo)
	_, calls := port(t, 1, nil)
	var work sync.WaitGroup
	for i := range 500 {
		work.Go(func() {
			text := fmt.Sprint("request ", i)
			got, err := calls.call(limited(t, 10*time.Second), server.Addr().String(), methodPropose, []byte(text))
			if want := "\x01" + text; err != nil || string(got) != want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	work.Wait()
	if len(calls.links) != 1 {
		t.Errorf("%d connections", len(calls.links))
	}
}

func TestCallTellsUnsentFromUnanswered(t *testing.T) {
	_, calls := port(t, 1, nil)
	t.Run("nobody listens", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		if _, err := calls.call(limited(t, time.Second), l.Addr().String(), methodPropose, nil); !errors.Is(err, errUnsent) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the member hangs", func(t *testing.T) {
		server, _ := port(t, 1, func(ctx context.Context, _ method, _ []byte) ([]byte, error) {
			<-ctx.Done()
			time.Sleep(50 * time.Millisecond)
			return nil, ctx.Err()
		})
		if _, err := calls.call(limited(t, 20*time.Millisecond), server.Addr().String(), methodPropose, nil); !errors.Is(err, errUnanswered) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the member dies", func(t *testing.T) {
		var server *clusterPort
		started := make(chan struct{})
		server, _ = port(t, 1, func(ctx context.Context, _ method, _ []byte) ([]byte, error) {
			close(started)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		go func() {
			<-started
			server.Close()
		}()
		if _, err := calls.call(limited(t, 10*time.Second), server.Addr().String(), methodPropose, nil); !errors.Is(err, errUnanswered) && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("and is back", func(t *testing.T) {
		server, _ := port(t, 1, echo)
		address := server.Addr().String()
		if _, err := calls.call(limited(t, 10*time.Second), address, methodPropose, nil); err != nil {
			t.Fatal(err)
		}
		server.Close()
		again, err := listen(portConfig{network: system{}, address: address, clusterID: server.clusterID, serve: server.serve, log: server.log})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		again.open()
		for { // the first call may still find the old connection
			_, err := calls.call(limited(t, 10*time.Second), address, methodPropose, nil)
			if err == nil {
				break
			}
			if !errors.Is(err, errUnsent) && !errors.Is(err, errUnanswered) {
				t.Fatal(err)
			}
		}
	})
}

func TestErrorsKeepTheirMeaningBetweenMembers(t *testing.T) {
	for _, c := range []struct{ given, want error }{
		{ErrNotLeader, ErrNotLeader},
		{unknownOutcome(context.DeadlineExceeded), ErrOutcomeUnknown},
		{ErrClosed, ErrNotLeader},
		{ErrHalted, ErrNotLeader},
		{unknownOutcome(ErrHalted), ErrOutcomeUnknown},
		{fmt.Errorf("%w: bytes", ErrTooLarge), ErrTooLarge},
		{ErrOverloaded, ErrOverloaded},
		{context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		got := decodeError(encodeError(c.given))
		if !errors.Is(got, c.want) {
			t.Errorf("%v became %v", c.given, got)
		}
		if errors.Is(got, ErrNotLeader) && errors.Is(got, ErrOutcomeUnknown) {
			t.Errorf("%v became both certain and uncertain", c.given)
		}
	}
	if err := decodeError([]byte("garbage")); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("an unreadable error became %v", err)
	}
}

func TestOtherClustersAreTurnedAway(t *testing.T) {
	server, _ := port(t, 1, echo)
	_, other := port(t, 2, nil)
	if got, err := other.call(limited(t, 5*time.Second), server.Addr().String(), methodReadIndex, nil); err == nil {
		t.Errorf("a node of another cluster was answered %q", got)
	}
	_, newcomer := port(t, 0, nil)
	if _, err := newcomer.call(limited(t, 5*time.Second), server.Addr().String(), methodJoin, nil); err != nil {
		t.Errorf("who knows no cluster yet gets %v", err)
	}
}

func TestPortOutlivesGarbage(t *testing.T) {
	server, _ := port(t, 1, echo)
	for _, garbage := range []string{"", "P", "GET / HTTP/1.1\r\n\r\n", "P\x01" + string(make([]byte, 16)) + "\xff\xff\xff\xff", "P\x02" + string(make([]byte, 40)), "P\x01" + string(make([]byte, 200))} {
		conn, err := net.Dial("tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, garbage)
		conn.Close()
	}
	_, calls := port(t, 1, nil)
	if _, err := calls.call(limited(t, 5*time.Second), server.Addr().String(), methodReadIndex, nil); err != nil {
		t.Error(err)
	}
}

func FuzzFrame(f *testing.F) {
	var frame bytes.Buffer
	if err := writeFrame(&frame, 7, 1, []byte("payload")); err != nil {
		f.Fatal(err)
	}
	f.Add(frame.Bytes())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, text []byte) {
		id, kind, payload, err := readFrame(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := writeFrame(&again, id, kind, payload); err != nil || !bytes.HasPrefix(text, again.Bytes()) {
			t.Errorf("%x reads as %d %d %x, which writes as %x (%v)", text, id, kind, payload, again.Bytes(), err)
		}
	})
}
