package ast

import "strings"

// claims prints the run of claims that a list of declarations begins with, in
// columns, and returns how many they are.
func (p *printer) claims(decls []Decl) int {
	var rows [][4]string
	var run []*Claim
	for i, d := range decls {
		c, ok := d.(*Claim)
		if !ok || i > 0 && (c.Blank || len(c.Before) > 0) {
			break
		}
		row := [4]string{"never", typeRelationText(c.Left), "holds", typeRelationText(c.Right)}
		if c.Always {
			row[0] = "always"
		}
		if c.Grants {
			row[2] = "grants"
		}
		run, rows = append(run, c), append(rows, row)
	}
	var columns [3]int
	for _, row := range rows {
		for i := range columns {
			columns[i] = max(columns[i], width(row[i]))
		}
	}
	for i, c := range run {
		p.lead("", &c.Notes)
		text := ""
		for j := range columns {
			text += padded(rows[i][j], columns[j]) + " "
		}
		p.line("", text+rows[i][3], c.Trail)
	}
	return len(run)
}

func typeRelationText(t TypeRelation) string {
	return nameText(t.Type.Text) + "#" + nameText(t.Relation.Text)
}

func padded(text string, column int) string {
	return text + strings.Repeat(" ", max(0, column-width(text)))
}
