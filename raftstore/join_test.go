package raftstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/command"
	"github.com/pemba-authz/pemba/raftstore/disk"
)

// refusal starts a node that must not become a member, and returns why.
func refusal(t *testing.T, config raftstore.Config) error {
	t.Helper()
	n, err := raftstore.Open(withPatience(t), config)
	if err != nil {
		return err
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	err = n.WaitReady(withPatience(t))
	if s := n.Status(); err == nil || s.Ready || s.ClusterID != "" || s.Applied != 0 {
		t.Errorf("a refused node (%v) is ready: %v, in cluster %q at %d", err, s.Ready, s.ClusterID, s.Applied)
	}
	return err
}

// A node joins with a token, once. Each other token is refused by a reason of its
// own, and changes nothing: not the cluster, and not the folder, with which the
// node joins in the end.
func TestJoiningTakesAToken(t *testing.T) {
	var late atomic.Int64 // how far the leader's clock is ahead
	clock := func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	secure := func(c *raftstore.Config) { c.Insecure, c.Clock = false, clock }
	c := startCluster(t, 2, secure)
	putStore(t, c.nodes[0], "s")
	other := startCluster(t, 1, secure)
	at := func() (command.ClusterID, int) {
		return command.ClusterID{}, len(c.nodes[0].Status().Members)
	}
	_, before := at()
	newcomer := raftstore.Config{Dir: t.TempDir(), ListenAddr: freeAddress(t), Join: []string{c.configs[0].ListenAddr, c.configs[1].ListenAddr}, NoSync: true, HeartbeatTimeout: 200 * time.Millisecond}
	good := joinToken(t, c.nodes[0])
	replica, _, err := c.nodes[1].NewJoinToken(withPatience(t), time.Hour, true)
	if err != nil {
		t.Fatal(err)
	}
	brief, _, err := c.nodes[1].NewJoinToken(withPatience(t), time.Minute, false)
	if err != nil {
		t.Fatal(err)
	}
	unknown := good[:len(good)-10] + strings.Repeat("A", 10)
	for _, try := range []struct {
		name, token string
		want        error
	}{
		{"none", "", raftstore.ErrJoinTokenMissing},
		{"garbage", "pemba-join-garbage", raftstore.ErrJoinTokenMalformed},
		{"of another cluster", joinToken(t, other.nodes[0]), raftstore.ErrJoinTokenOtherCluster},
		{"another secret", unknown, raftstore.ErrJoinTokenUnknown},
		{"used by another", c.configs[1].JoinToken, raftstore.ErrJoinTokenUsed},
		{"of a replica", replica.Text(), raftstore.ErrJoinTokenReplica},
		{"expired", brief.Text(), raftstore.ErrJoinTokenExpired},
	} {
		t.Run(try.name, func(t *testing.T) {
			if try.want == raftstore.ErrJoinTokenExpired {
				late.Store(int64(2 * time.Minute))
				fill(t, c.nodes[0], "s", "later", 1) // the log's time moves on
			}
			newcomer.JoinToken = try.token
			err := refusal(t, newcomer)
			if !errors.Is(err, try.want) {
				t.Errorf("got %v, want %v", err, try.want)
			}
			if try.token != "" && strings.Contains(fmt.Sprint(err), try.token) {
				t.Error("the refusal shows the token")
			}
			if _, now := at(); now != before {
				t.Errorf("the cluster has %d members, before %d", now, before)
			}
		})
	}
	newcomer.JoinToken = good
	c.configs, c.nodes = append(c.configs, newcomer), append(c.nodes, nil)
	c.start(2)
	c.waitMembers(3)
	c.stop(2)
	c.configs[2].JoinToken = "" // a member needs none
	c.start(2)
	c.waitMembers(3)
}

func TestTokensAreBounded(t *testing.T) {
	n := openNode(t, raftstore.Config{NoSync: true})
	for _, life := range []time.Duration{0, -time.Hour, raftstore.MaxJoinTokenLife + 1} {
		if _, _, err := n.NewJoinToken(withPatience(t), life, false); !errors.Is(err, raftstore.ErrJoinTokenLife) {
			t.Errorf("a life of %s: %v", life, err)
		}
	}
	token, _, err := n.NewJoinToken(withPatience(t), time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{fmt.Sprint(token), fmt.Sprintf("%#v", token), fmt.Sprintf("%+v", token)} {
		if shown != "[join token]" {
			t.Errorf("a token prints as %s", shown)
		}
	}
	for range command.MaxJoinTokens - 1 {
		joinToken(t, n)
	}
	if _, _, err := n.NewJoinToken(withPatience(t), time.Hour, false); !errors.Is(err, &raftstore.Rejection{Code: command.CodeTooManyJoinTokens}) {
		t.Errorf("one token too many: %v", err)
	}
}

// A folder is never taken into another cluster than its own, and no second cluster
// begins where there is one.
func TestFoldersKeepTheirCluster(t *testing.T) {
	c := startCluster(t, 1, nil)
	other := startCluster(t, 1, nil)
	id := other.nodes[0].Status().ClusterID
	other.stop(0)
	config := other.configs[0]
	config.Join = []string{c.configs[0].ListenAddr}
	if _, err := raftstore.Open(withPatience(t), config); !errors.Is(err, raftstore.ErrOtherCluster) {
		t.Errorf("a folder of another cluster: %v", err)
	}
	config.Join = nil
	again := openNode(t, config)
	if got := again.Status().ClusterID; got != id {
		t.Errorf("the refused folder is of cluster %s, before of %s", got, id)
	}
	// A node that is to join begins no cluster, however long nobody answers.
	config = raftstore.Config{Dir: t.TempDir(), ListenAddr: freeAddress(t), Join: []string{freeAddress(t)}, NoSync: true, HeartbeatTimeout: 10 * time.Millisecond}
	lonely := openNode(t, config)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := lonely.WaitReady(ctx); err == nil || lonely.Status().ClusterID != "" {
		t.Errorf("a node that found nobody is ready: %v, cluster %q", err, lonely.Status().ClusterID)
	}
}

func TestNewerFoldersAreRefused(t *testing.T) {
	dir := t.TempDir()
	n := openNode(t, raftstore.Config{Dir: dir, NoSync: true})
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"node.json":          `{"version":99,"id":"x"}`,
		"raft/snapshot.json": `{"version":99}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			kept, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if err := disk.ReplaceSummed(path, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, err := raftstore.Open(withPatience(t), raftstore.Config{Dir: dir, NoSync: true}); !errors.Is(err, raftstore.ErrNewerData) {
				t.Errorf("got %v", err)
			}
			if kept == nil {
				os.Remove(path)
			} else if err := os.WriteFile(path, kept, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("feature level", func(t *testing.T) {
		n := openNode(t, raftstore.Config{Dir: dir, NoSync: true})
		if err := n.UseFeature(withPatience(t), 99); err != nil {
			t.Fatal(err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := raftstore.Open(withPatience(t), raftstore.Config{Dir: dir, NoSync: true}); !errors.Is(err, raftstore.ErrNewerData) {
			t.Errorf("got %v", err)
		}
	})
}
