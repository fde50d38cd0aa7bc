package central

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/goccy/go-yaml"
)

// Config is the file that describes a central DNS.
type Config struct {
	Landscape Landscape `yaml:"landscape"`
	Server    Server    `yaml:"server"`
}

// Parse reads a Config from YAML. Unknown fields are mistakes; what is decoded is validated.
func Parse(text []byte) (Config, error) {
	c := Config{Landscape: Landscape{Path: "/skydns"}}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return Config{}, err
	}
	return c, errors.Join(under("landscape", c.Landscape.Validate()), under("server", c.Server.Validate()))
}

// Load is Parse for a file.
func Load(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	c, err := Parse(text)
	if err != nil {
		return Config{}, fmt.Errorf("%s:\n%w", path, err)
	}
	return c, nil
}

// under puts the section before each of the joined mistakes.
func under(section string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	for _, e := range joined.Unwrap() {
		errs = append(errs, fmt.Errorf("%s.%w", section, e))
	}
	return errors.Join(errs...)
}

// RunCorefile writes the Corefile that the file at path describes. It is the command central-corefile.
func RunCorefile(path string, w io.Writer) error {
	c, err := Load(path)
	if err != nil {
		return fmt.Errorf("central-corefile: %w", err)
	}
	text, err := Corefile(c.Landscape, c.Server)
	if err != nil {
		return fmt.Errorf("central-corefile: %w", err)
	}
	_, err = io.WriteString(w, text)
	return err
}
