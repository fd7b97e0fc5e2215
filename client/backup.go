package client

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/pemba-authz/pemba/server/api"
)

// Backup writes a backup of the cluster, or of one store, at one revision. What
// was written is a backup only where there is no error; one that was cut off is
// refused wherever it is read.
func (c *Client) Backup(ctx context.Context, request api.BackupRequest, to io.Writer) error {
	path := api.Prefix + "/backup"
	if query := request.Query().Encode(); query != "" {
		path += "?" + query
	}
	response, err := c.open(ctx, call{method: http.MethodGet, path: path, safe: true, accept: api.Backup})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(to, response.Body); err != nil {
		return fmt.Errorf("%w: %w", ErrStreamCut, cause(ctx, err))
	}
	return nil
}
