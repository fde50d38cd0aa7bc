package rndc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/keyfile/clause"
)

// Zone is a zone in a view of the server.
type Zone struct {
	Name string
	View string // empty: the only one
}

// arguments are the words of a command that name the zone. A name that is not one word to the server's
// parser is refused.
func (z Zone) arguments() (string, error) {
	name, err := backend.Name(z.Name)
	if err != nil {
		return "", err
	}
	if !word(name) {
		return "", fmt.Errorf("zone %q: BIND's control channel takes names of letters, digits, dots, dashes, underscores and slashes", z.Name)
	}
	if z.View == "" {
		return name, nil
	}
	if !word(z.View) {
		return "", fmt.Errorf("view %q: want letters, digits, dots, dashes and underscores", z.View)
	}
	return name + " IN " + z.View, nil
}

func word(s string) bool {
	return clause.Plain(s) && !strings.HasPrefix(s, "-") && !strings.ContainsAny(s, ":!")
}

// Status is what the server says of itself.
func (c *Client) Status(ctx context.Context) (Status, error) {
	text, err := c.Do(ctx, "status")
	if err != nil {
		return Status{}, err
	}
	return readStatus(text), nil
}

// AddZone adds a zone with the statements of its configuration.
func (c *Client) AddZone(ctx context.Context, z Zone, conf []clause.Statement) error {
	return c.configure(ctx, "addzone", z, conf)
}

// ModZone changes the configuration of a zone. BIND 9.18 says that it made a secondary a primary, and does
// so at the next reconfig only.
func (c *Client) ModZone(ctx context.Context, z Zone, conf []clause.Statement) error {
	return c.configure(ctx, "modzone", z, conf)
}

func (c *Client) configure(ctx context.Context, verb string, z Zone, conf []clause.Statement) error {
	command, err := configuring(verb, z, conf)
	if err == nil {
		_, err = c.Do(ctx, command)
	}
	return err
}

// configuring is the command that adds or changes a zone.
func configuring(verb string, z Zone, conf []clause.Statement) (string, error) {
	args, err := z.arguments()
	if err != nil {
		return "", err
	}
	block, err := clause.Block(conf...)
	if err != nil {
		return "", fmt.Errorf("zone %s: %w", z.Name, err)
	}
	return verb + " " + args + " " + block, nil
}

// DelZone deletes a zone; also one of named.conf, until the server is configured again. With files, the
// zone's file and its journal go too, and without them it could be added again as it was.
func (c *Client) DelZone(ctx context.Context, z Zone, files bool) error {
	verb := "delzone"
	if files {
		verb += " -clean"
	}
	_, err := c.about(ctx, verb, z)
	return err
}

// ShowZone returns the statements of a zone's configuration.
func (c *Client) ShowZone(ctx context.Context, z Zone) ([]clause.Statement, error) {
	text, err := c.about(ctx, "showzone", z)
	if err != nil {
		return nil, err
	}
	all, err := clause.Parse(text)
	if err != nil || len(all) != 1 || all[0].Block == nil {
		return nil, fmt.Errorf("rndc: showzone %s: cannot read %q", z.Name, text)
	}
	return all[0].Block, nil
}

// ZoneStatus returns what the server says of a zone, by the words before the colons: "type", "serial",
// "dynamic".
func (c *Client) ZoneStatus(ctx context.Context, z Zone) (map[string]string, error) {
	text, err := c.about(ctx, "zonestatus", z)
	if err != nil {
		return nil, err
	}
	return fields(text), nil
}

// Freeze stops updates of a zone and writes it to its file.
func (c *Client) Freeze(ctx context.Context, z Zone) error { return c.only(ctx, "freeze", z) }

// Thaw lets updates of a frozen zone go on, after reading its file.
func (c *Client) Thaw(ctx context.Context, z Zone) error { return c.only(ctx, "thaw", z) }

// Sync asks for a zone to be written to its file. The server does so afterwards.
func (c *Client) Sync(ctx context.Context, z Zone) error { return c.only(ctx, "sync", z) }

// Notify tells a zone's secondaries of its serial.
func (c *Client) Notify(ctx context.Context, z Zone) error { return c.only(ctx, "notify", z) }

// Reload reads a zone's file again. Of a zone that is loaded and takes updates it is refused.
func (c *Client) Reload(ctx context.Context, z Zone) error { return c.only(ctx, "reload", z) }

// Retransfer makes a secondary fetch all of a zone, whatever its serial.
func (c *Client) Retransfer(ctx context.Context, z Zone) error { return c.only(ctx, "retransfer", z) }

// Reconfig makes the server read its configuration again.
func (c *Client) Reconfig(ctx context.Context) error {
	_, err := c.Do(ctx, "reconfig")
	return err
}

func (c *Client) only(ctx context.Context, verb string, z Zone) error {
	_, err := c.about(ctx, verb, z)
	return err
}

func (c *Client) about(ctx context.Context, verb string, z Zone) (string, error) {
	args, err := z.arguments()
	if err != nil {
		return "", err
	}
	return c.Do(ctx, verb+" "+args)
}

// Is reports whether the server answered with one of the results, BIND's names of failures.
func Is(err error, results ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, r := range results {
		if e.Result == r {
			return true
		}
	}
	return false
}

// The results that callers decide by.
const (
	NotFound     = "not found"
	Exists       = "already exists"
	FileNotFound = "file not found"
	NotPermitted = "permission denied"
	NotLoaded    = "zone not loaded"
	Failure      = "failure" // of showzone: new zones are not allowed, or the zone is not configured but automatic
)

// Status is what a server says of itself.
type Status struct {
	Version string // "BIND 9.18.49-1 (Extended Support Version) <id:>"
	Fields  map[string]string
}

func readStatus(text string) Status {
	f := fields(text)
	return Status{f["version"], f}
}

// fields reads lines of "name: value".
func fields(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			out[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return out
}
