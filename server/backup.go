package server

import (
	"fmt"
	"net/http"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server/api"
)

const backupPath = "/v1/backup"

// maxBackups is how many backups are given at once: each reads all there is, and
// holds the history meanwhile.
const maxBackups = 2

// backup answers GET /v1/backup with a file. One that fails on its way is cut off,
// and lacks the end without which it is none.
func (s *Server) backup(w http.ResponseWriter, r *http.Request) error {
	request, faults := api.ParseBackup(r.URL.Query())
	if err := faults.Err(); err != nil {
		return err
	}
	defer s.backups.Add(-1)
	if s.backups.Add(1) > maxBackups {
		return api.NewProblem(api.Overloaded, fmt.Sprintf("the server gives %d backups already", maxBackups))
	}
	b, err := s.node.Backup(r.Context(), raftstore.BackupRequest{Store: request.Store, Bare: request.Bare, Local: request.Local})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := lasting(w); err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", api.Backup)
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.pemba-backup"`, b.Header.Time.UTC().Format("20060102T150405Z")))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	return b.Write(r.Context(), patient{w, nil, s.config.RequestTimeout})
}
