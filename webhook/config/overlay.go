package config

import "reflect"

// Overlay copies from given to o every option that isGiven says was given by flag or environment. It is
// asked with the address of the field in given, so that no name has to be kept in two places.
func (o *Options) Overlay(given *Options, isGiven func(field any) bool) {
	overlay(reflect.ValueOf(o).Elem(), reflect.ValueOf(given).Elem(), isGiven)
}

func overlay(dst, src reflect.Value, isGiven func(field any) bool) {
	for _, f := range Fields(src.Type()) {
		from, to := src.FieldByIndex(f.Index), dst.FieldByIndex(f.Index)
		if isGiven(from.Addr().Interface()) {
			to.Set(from)
		} else if from.Kind() == reflect.Struct {
			overlay(to, from, isGiven)
		}
	}
}
