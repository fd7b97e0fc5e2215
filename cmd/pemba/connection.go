package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/pemba-authz/pemba/client"
	"github.com/urfave/cli/v2"
)

// defaultAddress is where serve listens and the other commands look.
const defaultAddress = "127.0.0.1:8420"

func serverFlag() cli.Flag {
	return &cli.StringFlag{Name: "server", EnvVars: []string{"PEMBA_SERVER"}, Value: "http://" + defaultAddress,
		Usage: "base `URL` of the server; several of one cluster with commas between"}
}

func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Aliases: []string{"s"}, EnvVars: []string{"PEMBA_STORE"}, Usage: "`NAME` of the store"}
}

// remote are the flags of a command that asks a store on a server.
func remote(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{serverFlag(), storeFlag(), jsonFlag}, more...)
}

// trustFlags say whom a command trusts that asks a server, and what it shows.
func trustFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ca", EnvVars: []string{"PEMBA_CA"}, Usage: "`FILE` of the authorities to trust under https; the system's without it"},
		&cli.StringFlag{Name: "cert", EnvVars: []string{"PEMBA_CERT"}, Usage: "`FILE` of the certificate to show the server, where it wants one"},
		&cli.StringFlag{Name: "key", EnvVars: []string{"PEMBA_KEY"}, Usage: "`FILE` of its key"},
	}
}

// trust is what the flags say; nil: nothing.
func trust(c *cli.Context) (*tls.Config, error) {
	ca, cert, key := c.String("ca"), c.String("cert"), c.String("key")
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--ca: %s holds no certificate in PEM", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, &usageError{command: commandPath(c), message: "--cert and --key go together"}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("--cert %s with --key %s: %w", cert, key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// addresses are the servers that the command names, as they stand there.
func addresses(c *cli.Context) []string {
	all := strings.Split(c.String("server"), ",")
	for i, address := range all {
		all[i] = strings.TrimSpace(address)
	}
	return all
}

func connect(c *cli.Context) (*client.Client, error) {
	trusted, err := trust(c)
	if err != nil {
		return nil, err
	}
	scheme := "http://"
	if trusted != nil {
		scheme = "https://"
	}
	var all []string
	for _, address := range addresses(c) {
		if !strings.Contains(address, "://") {
			address = scheme + address
		}
		all = append(all, address)
	}
	// A node without a leader has waited for one before it answers, and somebody
	// waits here: each address is tried once more, not as often as a program would.
	return client.New(client.Config{Addresses: all, UserAgent: "pemba-cli", TLS: trusted, Retries: len(all)})
}

func connectStore(c *cli.Context) (*client.Store, error) {
	name := c.String("store")
	if name == "" {
		return nil, &usageError{command: commandPath(c), message: "no store is named", suggestion: "set --store NAME or PEMBA_STORE"}
	}
	conn, err := connect(c)
	if err != nil {
		return nil, err
	}
	return conn.Store(name), nil
}
