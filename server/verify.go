package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server/api"
)

const verifyPath = "/v1/cluster/verify"

// verifyCluster answers POST /v1/cluster/verify. Members that differ are an answer,
// not a problem.
func (s *Server) verifyCluster(w http.ResponseWriter, r *http.Request) error {
	v, err := s.node.VerifyCluster(r.Context())
	if err != nil {
		return err
	}
	out := api.VerifyResponse{Equal: v.Equal, Findings: v.Findings, Members: make([]api.VerifiedMember, len(v.Members))}
	if out.Findings == nil {
		out.Findings = []string{}
	}
	if out.Token, err = s.node.Token(v.Revision); err != nil {
		return err
	}
	for i, m := range v.Members {
		out.Members[i] = verifiedMember(m)
	}
	return respond(w, http.StatusOK, out)
}

func verifiedMember(m raftstore.MemberSummary) api.VerifiedMember {
	out := api.VerifiedMember{ID: m.ID, Cluster: m.Summary.Cluster, Stores: make([]api.VerifiedStore, len(m.Summary.Stores))}
	if m.Err != nil {
		out.Error = m.Err.Error()
	}
	for i, st := range m.Summary.Stores {
		out.Stores[i] = api.VerifiedStore{Name: st.Name, Tuples: st.Live, Quarantined: st.Quarantined,
			Digest: st.Digest, State: st.State, Fault: st.Fault}
	}
	return out
}
