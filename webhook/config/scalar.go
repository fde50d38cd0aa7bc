package config

import (
	"encoding"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalar decodes one value that is no collection.
func (d *decoder) scalar(path string, node ast.Node, dst reflect.Value) {
	if _, ok := node.(ast.ScalarNode); !ok {
		d.fail(start(node), path, "", "want a single value, not a list or mapping")
		return
	}
	if err := setText(dst, text(node)); err != nil {
		d.fail(start(node), path, text(node), err.Error())
	}
}

// setText sets dst to the value that s describes. The error says what would be right. A slice takes its
// values separated by commas, as a flag does.
func setText(dst reflect.Value, s string) error {
	if isText(dst.Type()) {
		return dst.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	}
	if dst.Type() == reflect.TypeFor[time.Duration]() {
		v, err := time.ParseDuration(s)
		dst.SetInt(int64(v))
		return want(err == nil, "want a duration with its unit, like 30s or 5m")
	}
	switch dst.Kind() {
	case reflect.String:
		dst.SetString(s) // 10 and true are names too
	case reflect.Bool:
		v := strings.ToLower(s)
		dst.SetBool(v == "true")
		return want(v == "true" || v == "false", "want true or false")
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v, err := strconv.ParseInt(s, 10, dst.Type().Bits())
		dst.SetInt(v)
		return want(err == nil, "want a whole number")
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v, err := strconv.ParseUint(s, 10, dst.Type().Bits())
		dst.SetUint(v)
		return want(err == nil, "want a whole number, 0 or more")
	case reflect.Float32, reflect.Float64:
		v, err := strconv.ParseFloat(s, 64)
		dst.SetFloat(v)
		return want(err == nil && !math.IsNaN(v) && !math.IsInf(v, 0), "want a number, like 0.5")
	case reflect.Slice:
		for part := range strings.SplitSeq(s, ",") {
			v := reflect.New(dst.Type().Elem()).Elem()
			if err := setText(v, part); err != nil {
				return err
			}
			dst.Set(reflect.Append(dst, v))
		}
	default:
		return errors.New("a value of type " + dst.Type().String() + " cannot be written as text")
	}
	return nil
}

func want(ok bool, what string) error {
	if ok {
		return nil
	}
	return errors.New(what)
}

// isText reports whether values of the type read themselves from text, so that Go's view of them as a
// struct or slice does not matter.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// text is what a scalar says, without quotes; empty for lists and mappings.
func text(node ast.Node) string {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	case ast.ScalarNode:
		return n.GetToken().Value
	}
	return ""
}

// start is where a node begins in the file.
func start(node ast.Node) *token.Position {
	if node == nil || node.GetToken() == nil {
		return &token.Position{Line: 1, Column: 1}
	}
	return node.GetToken().Position
}
