package server

import (
	"math"
	"net/http"
	"time"

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
		Ready: status.Ready, Reason: status.NotReady, Secured: s.node.Secured(), Feature: status.Feature, Members: make([]api.Member, len(status.Members))}
	for i, m := range status.Members {
		out.Members[i] = api.Member{ID: m.ID, Address: m.Address, API: m.HTTPAddress, Name: m.Name, Voter: m.Voter, Replica: m.Replica, Feature: m.Feature, Leader: m.Leader}
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

// promoteMember answers POST /v1/cluster/members/{member}/promote.
func (s *Server) promoteMember(w http.ResponseWriter, r *http.Request) error {
	if err := s.node.Promote(r.Context(), r.PathValue("member")); err != nil {
		return err
	}
	return s.getCluster(w, r)
}

// demoteMember answers POST /v1/cluster/members/{member}/demote.
func (s *Server) demoteMember(w http.ResponseWriter, r *http.Request) error {
	if err := s.node.Demote(r.Context(), r.PathValue("member")); err != nil {
		return err
	}
	return s.getCluster(w, r)
}

// transferLeadership answers POST /v1/cluster/transfer.
func (s *Server) transferLeadership(w http.ResponseWriter, r *http.Request) error {
	if err := s.node.Transfer(r.Context()); err != nil {
		return err
	}
	return s.getCluster(w, r)
}

// leaveCluster answers POST /v1/cluster/leave: the asked node leaves.
func (s *Server) leaveCluster(w http.ResponseWriter, r *http.Request) error {
	if err := s.node.Leave(r.Context()); err != nil {
		return err
	}
	return s.getCluster(w, r)
}

// raiseFeature answers POST /v1/cluster/feature.
func (s *Server) raiseFeature(w http.ResponseWriter, r *http.Request) error {
	var request api.FeatureRequest
	if r.ContentLength != 0 {
		if _, err := s.decode(w, r, &request); err != nil {
			return err
		}
	}
	level, err := s.node.RaiseFeature(r.Context(), request.Level)
	if err != nil {
		return err
	}
	return respond(w, http.StatusOK, api.FeatureResponse{Level: level})
}

// newJoinToken answers POST /v1/cluster/tokens. The token is shown here and nowhere else.
func (s *Server) newJoinToken(w http.ResponseWriter, r *http.Request) error {
	request := api.JoinTokenRequest{}
	if r.ContentLength != 0 {
		if _, err := s.decode(w, r, &request); err != nil {
			return err
		}
	}
	life := time.Hour
	if request.Seconds != 0 {
		life = time.Duration(min(max(request.Seconds, -1), math.MaxInt32)) * time.Second
	}
	token, expires, err := s.node.NewJoinToken(r.Context(), life, request.Replica)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return respond(w, http.StatusCreated, api.JoinTokenResponse{JoinToken: token.Text(), ExpiresAt: expires.UTC()})
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
