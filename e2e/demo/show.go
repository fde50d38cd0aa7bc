package main

import "strings"

// show prints the table and says whether every answer is right.
func show(out *screen, rows []row) bool {
	var cells [][]cell
	right := 0
	for _, r := range rows {
		cells = append(cells, []cell{
			{text: r.host},
			{text: r.claim},
			{text: r.cluster, paint: out.dim},
			{text: r.ruling.inWords("public", r.cluster) + " | " + r.ruling.inWords("internal", r.cluster)},
			seen(out, r.public, r.line.public, &right),
			seen(out, r.internal, r.line.internal, &right),
		})
	}
	out.printf("\n")
	out.table([]string{"HOST", "KUBERNETES SAYS", "", "RULES: PUBLIC | INTERNAL", "PUBLIC DNS", "INTERNAL DNS"}, cells)
	return verdict(out, right == 2*len(rows))
}

// verdict says whether all answers are right.
func verdict(out *screen, right bool) bool {
	if right {
		out.printf("\n  %s\n\n", out.green("All answers are right: the world gets the hub, the inside gets the spoke, nothing private leaks."))
	} else {
		out.printf("\n  %s\n\n", out.red("Not every answer is right."))
	}
	return right
}

// seen is an answer and whether it is the right one.
func seen(out *screen, got []string, want string, right *int) cell {
	text := strings.Join(got, " ")
	if text == "" {
		text = "no answer"
	}
	if text == want || want == "" && len(got) == 0 {
		*right++
		return cell{"✓ " + text, out.green}
	}
	if want == "" {
		want = "no answer"
	}
	return cell{"✗ " + text + ", want " + want, out.red}
}
