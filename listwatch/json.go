package listwatch

import (
	"encoding/json"
	"fmt"
)

// fields calls each at every value of a JSON object, which it has to read.
func fields(d *json.Decoder, each func(name string, d *json.Decoder) error) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		if err := each(fmt.Sprint(name), d); err != nil {
			return err
		}
	}
	return expect(d, json.Delim('}'))
}

// elements calls each at every value of a JSON array, or never for null.
func elements(d *json.Decoder, each func(Decode) error) error {
	open, err := d.Token()
	if err != nil || open == nil {
		return err
	}
	if open != json.Delim('[') {
		return fmt.Errorf("%v where a list of objects should begin", open)
	}
	for d.More() {
		if err := each(d.Decode); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %v should be", got, want)
	}
	return nil
}
