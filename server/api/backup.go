package api

import "net/url"

// Backup is the media type of a backup, docs/backup.md describes it.
const Backup = "application/vnd.pemba.backup"

// BackupRequest says what GET /v1/backup shall give. Its members are the query.
type BackupRequest struct {
	Store string // the only one inside; empty: the whole cluster
	Bare  bool   // without history: the newest revision alone
	Local bool   // what the asked node has, without asking a leader whether there is more
}

// Query returns the request as the query of a URL.
func (r BackupRequest) Query() url.Values {
	query := url.Values{}
	if r.Store != "" {
		query.Set("store", r.Store)
	}
	if r.Bare {
		query.Set("history", "false")
	}
	if r.Local {
		query.Set("local", "true")
	}
	return query
}

// ParseBackup reads the query of a URL. Faults have the parameter as their place.
func ParseBackup(query url.Values) (BackupRequest, Faults) {
	var out BackupRequest
	faults := known(query, []string{"store", "history", "local"})
	boolean := func(name string, fallback bool) bool {
		switch query.Get(name) {
		case "true":
			return true
		case "false":
			return false
		case "":
			return fallback
		}
		faults = append(faults, Fault{Code: InvalidValue, Pointer: "/" + name, Message: "the parameter is neither true nor false", Expected: "true or false"})
		return fallback
	}
	out.Store, out.Bare, out.Local = query.Get("store"), !boolean("history", true), boolean("local", false)
	return out, faults
}
