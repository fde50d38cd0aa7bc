// Package charts owns the charts that a program of ours carries: the one of its own version, so that what it installs
// and what it was tested with are the same.
package charts

import "embed"

// Webhook is the chart of external-dns with the webhook beside it, in directory "webhook". Its README and the files
// that Helm leaves out are not in it.
//
//go:embed webhook/Chart.yaml webhook/.helmignore webhook/values.yaml webhook/values.schema.json webhook/alerts.yaml all:webhook/templates
var Webhook embed.FS
