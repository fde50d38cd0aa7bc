// Package charts owns the charts that a program of ours carries: the one of its own version, so that what it installs
// and what it was tested with are the same.
package charts

import "embed"

// Webhook is the chart of external-dns with the webhook beside it, in directory "webhook".
//
//go:embed all:webhook
var Webhook embed.FS
