package main

import (
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

func connect(c *cli.Context) (*client.Client, error) {
	var addresses []string
	for address := range strings.SplitSeq(c.String("server"), ",") {
		if address = strings.TrimSpace(address); !strings.Contains(address, "://") {
			address = "http://" + address
		}
		addresses = append(addresses, address)
	}
	// A node without a leader has waited for one before it answers, and somebody
	// waits here: each address is tried once more, not as often as a program would.
	return client.New(client.Config{Addresses: addresses, UserAgent: "pemba-cli", Retries: len(addresses)})
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
