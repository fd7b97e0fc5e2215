// Package server answers Pemba's HTTP surface on a raftstore node. Call New,
// then Server.Serve with a listener; Handler serves tests.
//
// A check passes server.go (its route), check.go (its text), view.go (the store
// at one revision and instant) and engine.Check, and nothing else.
package server

import (
	"context"
	"net/http"
	"runtime"
	"sync/atomic"

	"github.com/pemba-authz/pemba/engine"
	"github.com/pemba-authz/pemba/raftstore"
	"github.com/pemba-authz/pemba/server/api"
)

// Server answers requests on one node. It owns no goroutine outside of Serve.
type Server struct {
	config   Config
	limits   api.Limits
	node     *raftstore.Node
	mux      *http.ServeMux
	patterns []string     // of the routes, as registered
	working  atomic.Int64 // requests at work
	watchers atomic.Int64 // streams of changes that are open
	backups  atomic.Int64 // that are being given
	lane     *lane        // of requests that take long
	past     *lane        // of those that make an index of the past
	metrics  *metrics

	checkRoute, batchRoute *route // of shortcut
	noRoute                *route // of what strayed

	streams    context.Context // ends the streams of changes when the server stops
	endStreams context.CancelFunc

	compiling chan struct{} // holds one element per schema that is compiled
}

// New makes the server of a node. The node stays the caller's to close.
func New(node *raftstore.Node, config Config) *Server {
	if config.Clock == nil {
		config.Clock = node.Now
	}
	config = config.withDefaults()
	orDefault(&config.EvaluationNodes, engine.DefaultNodes)
	s := &Server{config: config, limits: config.apiLimits(), node: node, mux: http.NewServeMux(),
		compiling: make(chan struct{}, config.Compilations)}
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.lane = newLane(max(1, runtime.GOMAXPROCS(0)-1), config.LongRequests)
	s.past = newLane(1, pastWaiting)
	s.metrics = newMetrics()
	s.metrics.watch(node, &s.watchers)
	s.routes()
	return s
}

// Handler answers requests without a listener's limits.
func (s *Server) Handler() http.Handler { return s }

// pastWaiting is how many requests wait for an index of the past at most.
const pastWaiting = 16

const storesPath = "/v1/stores/"

// routes is the whole surface; openapi.json describes it.
func (s *Server) routes() {
	const store = storesPath + "{store}"
	s.noRoute = s.metrics.route("none")
	s.checkRoute = s.handle("POST "+store+"/check", inStore(s.check))
	s.batchRoute = s.handle("POST "+store+"/check/batch", inStore(s.checkBatch))
	s.handle("POST "+store+"/explain", s.explain)
	s.handle("POST "+store+"/expand", s.expand)
	s.handle("POST "+store+"/lookup/objects", s.lookupObjects)
	s.handle("POST "+store+"/lookup/subjects", s.lookupSubjects)
	s.handle("POST "+store+"/lookup/permissions", s.lookupPermissions)
	s.handle("POST "+store+"/tuples/read", s.readTuples)
	s.handle("POST "+store+"/tuples/write", s.writeTuples)
	s.handle("POST "+store+"/tuples/delete", s.deleteTuples)
	s.handle("POST "+store+"/tuples/quarantined/read", s.readQuarantined)
	s.handle("POST "+store+"/tuples/quarantined/delete", s.deleteQuarantined)
	s.handle("GET "+store+"/watch", s.watch)
	s.handle("PUT "+store+"/schema", s.putSchema)
	s.handle("GET "+store+"/schema", s.getSchema)
	s.handle("GET "+store+"/schema/versions", s.schemaVersions)
	s.handle("POST "+store+"/schema/validate", s.validateSchema)
	s.handle("POST "+store+"/schema/diff", s.diffSchema)
	s.handle("GET /v1/stores", s.listStores)
	s.handle("PUT "+store, s.putStore)
	s.handle("GET "+store, s.getStore)
	s.handle("DELETE "+store, s.deleteStore)
	s.handle("GET /v1/limits", s.getLimits)
	s.handle("GET /v1/cluster", s.getCluster)
	s.handle("POST "+verifyPath, s.verifyCluster)
	s.handle("GET "+backupPath, s.backup)
	s.handle("DELETE /v1/cluster/members/{member}", s.removeMember)
	s.handle("POST /v1/cluster/members/{member}/promote", s.promoteMember)
	s.handle("POST /v1/cluster/members/{member}/demote", s.demoteMember)
	s.handle("POST /v1/cluster/transfer", s.transferLeadership)
	s.handle("POST /v1/cluster/leave", s.leaveCluster)
	s.handle("POST /v1/cluster/feature", s.raiseFeature)
	s.handle("POST /v1/cluster/tokens", s.newJoinToken)
	s.handle("GET /healthz", s.healthz)
	s.handle("GET /readyz", s.readyz)
	s.handle("GET /openapi.json", s.openapi)
}
