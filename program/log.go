package program

import (
	"io"
	"log/slog"

	"github.com/alecthomas/kong"
)

// Log is how a program logs, and the flag for its version.
type Log struct {
	LogLevel  slog.Level       `default:"info" group:"Operations" help:"debug, info, warn or error."`
	LogFormat string           `default:"text" enum:"text,json" group:"Operations" help:"text or json."`
	Version   kong.VersionFlag `env:"-" group:"Operations" help:"Print the version and exit."`
}

// Logger logs to w.
func (l Log) Logger(w io.Writer) *slog.Logger { return Logger(w, l.LogFormat, l.LogLevel) }

// Logger logs to w, as "text" or "json".
func Logger(w io.Writer, format string, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
