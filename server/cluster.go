package server

import (
	"net/http"

	"github.com/pemba-authz/pemba/server/api"
)

// getLimits answers GET /v1/limits.
func (s *Server) getLimits(w http.ResponseWriter, r *http.Request) error {
	return respond(w, http.StatusOK, s.limits)
}

// getCluster answers GET /v1/cluster: the cluster as this node sees it.
func (s *Server) getCluster(w http.ResponseWriter, r *http.Request) error {
	status := s.node.Status()
	out := api.Cluster{ClusterID: status.ClusterID, NodeID: status.NodeID, LeaderID: status.Leader.ID, Role: status.Role,
		Ready: status.Ready, Reason: status.NotReady, Secured: s.node.Secured(), Members: make([]api.Member, len(status.Members))}
	for i, m := range status.Members {
		out.Members[i] = api.Member{ID: m.ID, Address: m.Address, API: m.HTTPAddress, Voter: m.Voter, Leader: m.Leader}
	}
	if token, err := s.node.Token(status.Applied); err == nil { // a node that is not ready has no key to seal with
		out.Token = token
	}
	return respond(w, http.StatusOK, out)
}

// removeMember answers DELETE /v1/cluster/members/{member}.
func (s *Server) removeMember(w http.ResponseWriter, r *http.Request) error {
	if err := s.node.Remove(r.Context(), r.PathValue("member")); err != nil {
		return err
	}
	return s.getCluster(w, r)
}

// healthz answers GET /healthz: the process lives.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) error {
	return respond(w, http.StatusOK, api.Health{Status: "ok"})
}

// readyz answers GET /readyz: the node serves.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.node.Ready() {
		return respond(w, http.StatusOK, api.Health{Status: "ok"})
	}
	reason := s.node.Status().NotReady
	if reason == "" {
		reason = "the node has not caught up with its cluster yet"
	}
	return api.NewProblem(api.NotReady, reason)
}
