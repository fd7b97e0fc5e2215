package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/raftstore/pki"
	"github.com/pemba-authz/pemba/schema/source"
	"github.com/pemba-authz/pemba/server"
	"github.com/urfave/cli/v2"
)

func serveCommand() *cli.Command {
	env := func(name string) []string { return []string{"PEMBA_" + name} }
	return &cli.Command{
		Name: "serve", Usage: "run a node: alone, or as a member of a cluster",
		Description: "Alone:          pemba serve --dir ./data\n" +
			"First of three: pemba serve --dir ./a --http :8420 --cluster 127.0.0.1:8421\n" +
			"The others:     pemba serve --dir ./b --http :8430 --cluster 127.0.0.1:8431 --join 127.0.0.1:8421 --join-token-file token\n\n" +
			"A node joins with a token that pemba cluster token makes. On other addresses than this machine's own, --cluster\n" +
			"wants certificates (pemba cluster ca init) or --insecure-cluster, which also does without tokens.\n" +
			"SIGINT or SIGTERM lets requests finish and stops the node.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", EnvVars: env("DIR"), Usage: "`FOLDER` of everything that the node keeps"},
			&cli.StringFlag{Name: "http", Value: defaultAddress, EnvVars: env("HTTP"), Usage: "`HOST:PORT` of the HTTP surface; port 0 takes a free one"},
			&cli.StringFlag{Name: "url", EnvVars: env("URL"), Usage: "the `URL` at which clients reach the HTTP surface, where it is not its address"},
			&cli.StringFlag{Name: "metrics", EnvVars: env("METRICS"), Usage: "`HOST:PORT` of GET /metrics; none without it"},
			&cli.StringFlag{Name: "cluster", EnvVars: env("CLUSTER"), Usage: "`HOST:PORT` for the other members; without it the node is alone"},
			&cli.StringFlag{Name: "advertise", EnvVars: env("ADVERTISE"), Usage: "`HOST:PORT` at which the other members reach --cluster, where it differs"},
			&cli.StringSliceFlag{Name: "join", EnvVars: env("JOIN"), Usage: "`HOST:PORT` of a member's --cluster; may be repeated"},
			&cli.StringFlag{Name: "join-token-file", EnvVars: env("JOIN_TOKEN_FILE"), Usage: "`FILE` of the token to join with (pemba cluster token), or PEMBA_JOIN_TOKEN holds it; members need none"},
			&cli.BoolFlag{Name: "replica", EnvVars: env("REPLICA"), Usage: "join without a vote, to answer questions"},
			&cli.BoolFlag{Name: "leave-on-stop", EnvVars: env("LEAVE_ON_STOP"), Usage: "leave the cluster for good when the node is stopped by a signal"},
			&cli.DurationFlag{Name: "remove-dead-after", EnvVars: env("REMOVE_DEAD_AFTER"), Usage: "remove members that the leader has not heard of for so long; never without it"},
			&cli.IntFlag{Name: "min-voters", Value: 3, EnvVars: env("MIN_VOTERS"), Usage: "how many members with a vote --remove-dead-after leaves at least"},
			&cli.StringFlag{Name: "cluster-cert", EnvVars: env("CLUSTER_CERT"), Usage: "`FILE` of the certificate that this node shows the other members"},
			&cli.StringFlag{Name: "cluster-key", EnvVars: env("CLUSTER_KEY"), Usage: "`FILE` of its key"},
			&cli.StringFlag{Name: "cluster-ca", EnvVars: env("CLUSTER_CA"), Usage: "`FILE` of the authorities whose certificates members must show"},
			&cli.StringFlag{Name: "tls-cert", EnvVars: env("TLS_CERT"), Usage: "`FILE` of the certificate of the HTTP port, which speaks HTTPS then"},
			&cli.StringFlag{Name: "tls-key", EnvVars: env("TLS_KEY"), Usage: "`FILE` of its key"},
			&cli.StringFlag{Name: "tls-client-ca", EnvVars: env("TLS_CLIENT_CA"), Usage: "`FILE` of the authorities whose certificates clients must show; none need to without it"},
			&cli.BoolFlag{Name: "insecure-cluster", EnvVars: env("INSECURE_CLUSTER"), Usage: "let whoever reaches --cluster read and change everything: a cluster without certificates"},
			&cli.DurationFlag{Name: "history-window", Value: raftstore.DefaultHistoryWindow, EnvVars: env("HISTORY_WINDOW"), Usage: "how long past revisions stay readable"},
			&cli.StringFlag{Name: "log-level", Value: "info", EnvVars: env("LOG_LEVEL"), Usage: "debug, `info`, warn or error"},
			&cli.StringFlag{Name: "log-format", Value: "text", EnvVars: env("LOG_FORMAT"), Usage: "`text` or json"},
		},
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.String("dir") == "" {
		return &usageError{command: commandPath(c), message: "no folder is named", suggestion: "set --dir FOLDER: the node keeps everything there"}
	}
	if len(c.StringSlice("join")) > 0 && c.String("cluster") == "" {
		return &usageError{command: commandPath(c), message: "--join needs --cluster", suggestion: "the other members must reach this node"}
	}
	certificates, err := clusterCertificates(c)
	if err != nil {
		return err
	}
	web, err := webCertificates(c)
	if err != nil {
		return err
	}
	token, err := joinToken(c)
	if err != nil {
		return err
	}
	logger, err := newLogger(c.App.ErrWriter, c.String("log-level"), c.String("log-format"))
	if err != nil {
		return err
	}
	p, err := start(c.Context, processConfig{
		httpAddr: c.String("http"), metricsAddr: c.String("metrics"), url: c.String("url"),
		store: raftstore.Config{Dir: c.String("dir"), ListenAddr: c.String("cluster"), AdvertiseAddr: c.String("advertise"),
			Join: c.StringSlice("join"), JoinToken: token, Replica: c.Bool("replica"), RemoveDeadAfter: c.Duration("remove-dead-after"), MinVoters: c.Int("min-voters"), Insecure: c.Bool("insecure-cluster"), Certificates: certificates, HistoryWindow: c.Duration("history-window"), Logger: logger},
		server: server.Config{Logger: logger},
		web:    web,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "pemba listens on %s\n", p.url)
	if p.metrics != "" {
		fmt.Fprintf(c.App.Writer, "metrics at http://%s/metrics\n", p.metrics)
	}
	if address := c.String("cluster"); address != "" {
		fmt.Fprintf(c.App.Writer, "members reach it on %s\n", address)
	}
	err = p.run(c.Context)
	if err == nil && c.Bool("leave-on-stop") {
		err = p.leave()
	}
	fmt.Fprintln(c.App.Writer, "pemba stops")
	return errors.Join(err, p.close())
}

// joinToken is the secret to join with. It stands in no argument, which everybody
// on the machine could read.
func joinToken(c *cli.Context) (string, error) {
	name, text := c.String("join-token-file"), os.Getenv("PEMBA_JOIN_TOKEN")
	if name == "" {
		return text, nil
	}
	if text != "" {
		return "", &usageError{command: commandPath(c), message: "--join-token-file and PEMBA_JOIN_TOKEN both name a token", suggestion: "leave one of them out"}
	}
	b, err := os.ReadFile(name)
	if _, known := os.Stat(filepath.Join(c.String("dir"), "node.json")); errors.Is(err, os.ErrNotExist) && known == nil {
		return "", nil // it has joined, and the token was thrown away
	}
	if err != nil {
		return "", fmt.Errorf("the join token: %w", err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return "", fmt.Errorf("the join token: %s is empty", name)
	}
	return string(b), nil
}

// clusterCertificates are those of the cluster port: all three files, or none.
func clusterCertificates(c *cli.Context) (pki.Files, error) {
	files := pki.Files{Cert: c.String("cluster-cert"), Key: c.String("cluster-key"), CA: c.String("cluster-ca")}
	if files == (pki.Files{}) {
		return files, nil
	}
	for _, name := range []string{"cluster", "cluster-cert", "cluster-key", "cluster-ca"} {
		if c.String(name) == "" {
			return pki.Files{}, &usageError{command: commandPath(c), message: "--" + name + " is missing", suggestion: "--cluster, --cluster-cert, --cluster-key and --cluster-ca go together"}
		}
	}
	if c.Bool("insecure-cluster") {
		return pki.Files{}, &usageError{command: commandPath(c), message: "--insecure-cluster contradicts --cluster-cert", suggestion: "leave one of them out"}
	}
	return files, nil
}

// webCertificates are those of the HTTP port.
func webCertificates(c *cli.Context) (pki.Files, error) {
	files := pki.Files{Cert: c.String("tls-cert"), Key: c.String("tls-key"), CA: c.String("tls-client-ca")}
	if files != (pki.Files{}) && (files.Cert == "" || files.Key == "") {
		return pki.Files{}, &usageError{command: commandPath(c), message: "--tls-cert and --tls-key go together", suggestion: "--tls-client-ca is for certificates of clients"}
	}
	return files, nil
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var at slog.Level
	if err := at.UnmarshalText([]byte(strings.ToUpper(level))); err != nil {
		return nil, &usageError{command: "pemba serve", message: fmt.Sprintf("--log-level %q is none of debug, info, warn and error", level),
			suggestion: source.DidYouMean(level, []string{"debug", "info", "warn", "error"})}
	}
	options := &slog.HandlerOptions{Level: at}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, &usageError{command: "pemba serve", message: fmt.Sprintf("--log-format %q is neither text nor json", format)}
}
