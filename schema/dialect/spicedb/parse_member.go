package spicedb

// member reads a relation, a permission, or a reference to a partial.
func (p *parser) member(d *definition) error {
	t := p.peek()
	m := &member{comments: p.above(t.place.Line)}
	var err error
	switch {
	case t.text == "relation" && t.kind == word:
		p.at++
		m.kind = relation
		if m.name, err = p.name("the name of the relation"); err != nil {
			return err
		}
		d.members = append(d.members, m)
		err = p.relation(m)
	case t.text == "permission" && t.kind == word:
		p.at++
		m.kind = permission
		if m.name, err = p.name("the name of the permission"); err != nil {
			return err
		}
		d.members = append(d.members, m)
		err = p.permission(m)
	case t.kind == ellipsis && p.file.uses["partial"]:
		p.at++
		m.kind = splat
		if m.name, err = p.path("the name of a partial"); err != nil {
			return err
		}
		d.members = append(d.members, m)
	default:
		return p.fail(t, "relation, permission or }")
	}
	if err != nil {
		return err
	}
	err = p.endStatement()
	m.comments = append(m.comments, p.trailing()...)
	return err
}

// trailing takes the comments that stand on the line of what was just read.
func (p *parser) trailing() []remark {
	taken := p.comments()
	if len(taken) > 0 && p.tokens[p.at-1].kind == comment && p.tokens[p.at-1].alone {
		p.pending = taken
		return nil
	}
	for i := range taken {
		taken[i].Doc = false
		taken[i].Trail = i == len(taken)-1
	}
	return taken
}

// relation reads ": user | group#member with caveat".
func (p *parser) relation(m *member) error {
	if t := p.peek(); t.kind != ':' {
		return p.fail(t, "a colon and the types of the relation's subjects")
	}
	p.at++
	for {
		a, err := p.allowed()
		if err != nil {
			return err
		}
		m.types = append(m.types, a)
		if p.peek().kind != '|' {
			return nil
		}
		p.at++
	}
}

func (p *parser) allowed() (allowed, error) {
	var a allowed
	var err error
	if a.typ, err = p.path("the name of a definition"); err != nil {
		return a, err
	}
	switch p.peek().kind {
	case ':':
		p.at++
		if t := p.take(); t.kind != '*' {
			return a, p.fail(t, "* behind the type's colon")
		}
		a.wildcard = true
	case '#':
		p.at++
		if p.peek().kind == ellipsis {
			p.at++
			break
		}
		if a.relation, err = p.name("a relation or permission, or ..."); err != nil {
			return a, err
		}
	}
	if p.peek().text != "with" {
		return a, nil
	}
	p.at++
	if p.peek().text == "expiration" && p.file.uses["expiration"] {
		p.at++
		a.expiration = true
		return a, nil
	}
	if a.caveat, err = p.path("the name of a caveat, or expiration after use expiration"); err != nil {
		return a, err
	}
	if p.peek().text == "and" && p.file.uses["expiration"] {
		p.at++
		if t := p.take(); t.text != "expiration" {
			return a, p.fail(t, "expiration")
		}
		a.expiration = true
	}
	return a, nil
}

// permission reads "= expression" or ": type | type = expression".
func (p *parser) permission(m *member) error {
	if p.peek().kind == ':' {
		p.at++
		m.annotated = true
		for {
			n, err := p.path("the name of a definition")
			if err != nil {
				return err
			}
			m.annotations = append(m.annotations, n)
			if p.peek().kind != '|' {
				break
			}
			p.at++
		}
	}
	if t := p.peek(); t.kind != '=' {
		return p.fail(t, "= and the permission's expression")
	}
	p.at++
	var err error
	m.expression, err = p.expression(exclusion)
	return err
}
