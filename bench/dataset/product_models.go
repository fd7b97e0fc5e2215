package dataset

import (
	"fmt"
	"math/rand/v2"

	"github.com/pemba-authz/pemba/schema/tuple"
)

// near picks a customer, and one whose people ask: mostly the same.
func (c *customers) near(r *rand.Rand) (asked, asking uint64) {
	asked = r.Uint64N(c.number)
	if r.IntN(4) == 0 {
		return asked, r.Uint64N(c.number)
	}
	return asked, asked
}

// Ptolemy: workspaces of eleven people, with keys.

func ptolemySystem(c *customers) {
	c.add("system:ptolemy", "admin", tuple.Subject{Type: "user", ID: "root"})
	c.add("system:ptolemy", "sysadmin", tuple.Subject{Type: "user", ID: "c0-1"}) // who is in a workspace, and counts for nothing there
}

func ptolemyWorkspace(c *customers) {
	workspace := fmt.Sprintf("workspace:c%d-0", c.number)
	for i := range 11 {
		relation := "member"
		if i == 0 {
			relation = "admin"
		} else if i < 3 {
			relation = "manager"
		}
		c.add(workspace, relation, subjectOf("user", c.number, i))
	}
	if c.number > 0 { // a guest from the workspace before
		c.add(workspace, "member", subjectOf("user", c.number-1, 5))
	}
	for i := range 2 {
		key := subjectOf("service_key", c.number, i)
		c.add(key.String(), "workspace", tuple.Subject{Type: "workspace", ID: fmt.Sprintf("c%d-0", c.number)})
		c.until(workspace, "read_key", key, c.expiry(i))
		if i == 1 {
			c.until(workspace, "write_key", key, c.expiry(i))
		}
		c.until(subjectOf("user_key", c.number, i).String(), "owner", subjectOf("user", c.number, c.roll(2+i, 11)), c.expiry(4+i))
	}
}

func ptolemyQuestion(c *customers, r *rand.Rand) (tuple.Object, []string, tuple.Subject) {
	asked, asking := c.near(r)
	subject := subjectOf("user", asking, r.IntN(11))
	switch r.IntN(6) {
	case 0:
		subject = subjectOf("service_key", asking, r.IntN(2))
	case 1:
		subject = subjectOf("user_key", asking, r.IntN(2))
	case 2:
		return object("service_key", asked, r.IntN(2)), []string{"view", "delete"}, subject
	}
	return object("workspace", asked, 0),
		[]string{"view_data", "ingest_data", "view_details", "list_keys", "create_key", "add_member", "delete"}, subject
}

// Cloud Observability: one organization, many projects, custom roles over some of them.

func cloudOrganization(c *customers) {
	for i, relation := range []string{"admin", "billing_admin", "editor", "viewer", "restricted_member"} {
		c.add("organization:main", relation, tuple.Subject{Type: "user", ID: relation})
		c.add("organization:main", relation, tuple.Subject{Type: "team", ID: fmt.Sprintf("c%d-0", i), Relation: "member"})
	}
}

func cloudProject(c *customers) {
	member := func(typ string) tuple.Subject {
		s := subjectOf(typ, c.number, 0)
		s.Relation = map[string]string{"team": "member", "role": "assignee"}[typ]
		return s
	}
	for i := range 8 {
		c.add(fmt.Sprintf("team:c%d-0", c.number), "member", subjectOf("user", c.number, i))
	}
	role, project := fmt.Sprintf("role:c%d-0", c.number), tuple.Subject{Type: "project", ID: fmt.Sprintf("c%d-0", c.number)}
	c.add(role, "assignee", member("team"))
	c.add(role, "assignee", subjectOf("user", c.number, 8))
	for i, relation := range []string{"view_logs", "view_metrics", "view_traces", "view_alerts", "view_charts", "view_dashboards",
		"view_notebooks", "manage_dashboards", "manage_notebooks"} {
		if c.roll(i, 2) == 0 {
			c.add(project.String(), relation, member("role"))
		}
	}
	for i, typ := range []string{"alert", "chart", "dashboard", "dashboard", "notebook", "notebook"} {
		c.add(fmt.Sprintf("%s:c%d-%d", typ, c.number, i), "project", project)
		if typ == "notebook" {
			c.add(fmt.Sprintf("notebook:c%d-%d", c.number, i), "owner", subjectOf("user", c.number, c.roll(20+i, 9)))
		}
	}
}

func cloudQuestion(c *customers, r *rand.Rand) (tuple.Object, []string, tuple.Subject) {
	asked, asking := c.near(r)
	subject := subjectOf("user", asking, r.IntN(9))
	i := r.IntN(7)
	if i == 6 {
		return object("project", asked, 0), []string{"view_logs", "view_metrics", "view_traces", "manage_dashboards"}, subject
	}
	typ := []string{"alert", "chart", "dashboard", "dashboard", "notebook", "notebook"}[i]
	return object(typ, asked, i), []string{"view", "edit", "delete"}, subject
}

// Observe: one tenant, groups of ten, and what they share.

func observeTenant(c *customers) {
	c.add("group:admin", "member", subjectOf("user", 0, 0))
	c.add("tenant:main", "create_dataset", tuple.Subject{Type: "group", ID: "c0-0", Relation: "active"})
}

var observeTypes = []string{"worksheet", "dashboard", "monitor", "datastream", "dataset"}

func observeTeam(c *customers) {
	team := subjectOf("group", c.number, 0)
	team.Relation = "active"
	for i := range 10 {
		user := subjectOf("user", c.number, i)
		c.add("tenant:main", "account", user)
		c.add(team.Object().String(), "member", user)
		if c.roll(i, 20) == 0 {
			c.add("tenant:main", "deactivated", user)
		}
	}
	for i, typ := range observeTypes {
		o := object(typ, c.number, i).String()
		c.add(o, "creator", subjectOf("user", c.number, c.roll(20+i, 10)))
		c.add(o, "viewer", team)
		if c.number > 0 {
			c.add(o, "editor", subjectOf("user", c.number-1, c.roll(30+i, 10)))
		}
	}
}

func observeQuestion(c *customers, r *rand.Rand) (tuple.Object, []string, tuple.Subject) {
	asked, asking := c.near(r)
	if asking > 0 && r.IntN(3) == 0 {
		asking--
	}
	i := r.IntN(len(observeTypes))
	return object(observeTypes[i], asked, i), []string{"view", "edit", "share"}, subjectOf("user", asking, r.IntN(10))
}

// Portkey: organizations of twelve people, with keys and what they use.

var portkeyScopes = []string{"metrics_key", "completions_key", "prompts_read_key", "prompts_write_key", "configs_read_key", "virtual_keys_read_key"}

func portkeyOrganization(c *customers) {
	organization := tuple.Subject{Type: "organization", ID: fmt.Sprintf("c%d-0", c.number)}
	o := organization.String()
	for i := range 12 {
		relation := "member"
		if i == 0 {
			relation = "owner"
		} else if i < 3 {
			relation = "admin"
		}
		c.add(o, relation, subjectOf("user", c.number, i))
	}
	for i := range 4 {
		key := subjectOf("api_key", c.number, i)
		c.add(key.String(), "organization", organization)
		if i == 0 {
			c.add(o, "master_key", key)
			continue
		}
		c.until(o, "key", key, c.expiry(i))
		for j, scope := range portkeyScopes {
			if c.roll(10*i+j, 2) == 0 {
				c.add(o, scope, key)
			}
		}
	}
	for i, typ := range []string{"prompt", "config", "guardrail", "virtual_key"} {
		c.add(object(typ, c.number, i).String(), "organization", organization)
	}
}

func portkeyQuestion(c *customers, r *rand.Rand) (tuple.Object, []string, tuple.Subject) {
	asked, asking := c.near(r)
	subject := subjectOf("user", asking, r.IntN(12))
	if r.IntN(2) == 0 {
		subject = subjectOf("api_key", asking, r.IntN(4))
	}
	switch r.IntN(4) {
	case 0:
		return object("prompt", asked, 0), []string{"view", "update", "publish", "delete"}, subject
	case 1:
		return object("config", asked, 1), []string{"view", "update", "delete"}, subject
	case 2:
		return object("virtual_key", asked, 3), []string{"copy", "edit", "delete"}, subject
	}
	return object("organization", asked, 0), []string{"view_metrics", "complete", "list_prompts", "delete_api_key", "manage_billing"}, subject
}
