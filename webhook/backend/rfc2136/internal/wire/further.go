package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// The types without a text form of our own are read and written by the general library: they are few in a
// zone. What it cannot print so that the same data comes of it again has the form of RFC 3597 §5, so that
// any data has a text, and any text leads to one data.

// generic begins the text of data of any type (RFC 3597 §5).
const generic = `\#`

// Text is the canonical text of a record's data. Data that is none of the type is an error.
func Text(t Type, data []byte) (string, error) {
	if !t.HasText() {
		f := readFurther(t, data, 0, len(data))
		if f.malformed && dns.TypeToRR[uint16(t)] != nil {
			return "", errData(t)
		}
		return f.text, nil
	}
	b, err := appendDataText(nil, data, 0, len(data), t)
	return string(b), err
}

// appendFurtherData encodes the text of a type that the general library knows, or generic text.
func appendFurtherData(b []byte, t Type, value string) ([]byte, error) {
	if strings.HasPrefix(strings.TrimSpace(value), generic) {
		return appendGenericData(b, t, value)
	}
	rr, err := parseFurther(t, value)
	if err != nil {
		return nil, err
	}
	lowerNames(reflect.ValueOf(rr).Elem())
	data, err := pack(rr)
	if err != nil || len(data) == 0 {
		return nil, fmt.Errorf("%q is not a value of type %s", value, t)
	}
	return append(b, data...), nil
}

func parseFurther(t Type, value string) (dns.RR, error) {
	if strings.ContainsAny(value, "\n\r") {
		return nil, fmt.Errorf("%q is not a value of type %s: want one line", value, t)
	}
	line := ". 0 IN " + t.String() + " " + value
	rr, err := parseLine(line, "")
	if err != nil { // names without a dot at the end are whole, too
		if strings.Contains(" "+value+" ", " @ ") {
			return nil, fmt.Errorf("%q is not a value of type %s: want whole names instead of @", value, t)
		}
		rr, err = parseLine(line, ".")
	}
	if n := fewestFields(t); err == nil && (rr == nil || len(strings.Fields(value)) < n) {
		err = fmt.Errorf("want at least %d fields", max(n, 1))
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not a value of type %s: %w", value, t, err)
	}
	return rr, nil
}

// fewestFields is how many fields a value has at least, of the types that have all of them: the general library
// takes those that are missing at the end for zero or empty.
func fewestFields(t Type) int {
	switch uint16(t) {
	case dns.TypeSOA:
		return 7
	case dns.TypeTLSA, dns.TypeSMIMEA, dns.TypeDS, dns.TypeCERT:
		return 4
	case dns.TypeSSHFP, dns.TypeCAA, dns.TypeURI:
		return 3
	case dns.TypeSVCB, dns.TypeHTTPS, dns.TypeHINFO, dns.TypeRP, dns.TypeAFSDB, dns.TypeKX:
		return 2
	}
	return 0
}

func parseLine(line, origin string) (dns.RR, error) {
	p := dns.NewZoneParser(strings.NewReader(line+"\n"), origin, "")
	rr, _ := p.Next()
	return rr, p.Err()
}

func appendGenericData(b []byte, t Type, value string) ([]byte, error) {
	fields := strings.Fields(value)
	if len(fields) > 1 && fields[0] == generic {
		data, err := hex.DecodeString(strings.Join(fields[2:], ""))
		if n, numErr := strconv.ParseUint(fields[1], 10, 16); err == nil && numErr == nil && len(data) == int(n) {
			return append(b, data...), nil
		}
	}
	return nil, fmt.Errorf(`%q is not a value of type %s: want \# <length> <hexadecimal digits>`, value, t)
}

// further is a record's data of a type without a text form of our own.
type further struct {
	text      string
	data      []byte // of which text speaks, names in lower case
	raw       []byte // as it was received, uncompressed
	malformed bool   // not of the type's form
}

func readFurther(t Type, msg []byte, off, end int) further {
	f := further{raw: msg[off:end], data: msg[off:end], malformed: true}
	head := dns.RR_Header{Name: ".", Rrtype: uint16(t), Class: classIN, Rdlength: uint16(end - off)}
	if rr, next, err := dns.UnpackRRWithHeader(head, msg[:end], off); err == nil && next == end && end > off {
		f.malformed = strings.HasSuffix(rr.String(), " ") // a field at the end is missing
		if packed, err := pack(rr); err == nil && (bytes.Equal(packed, f.raw) || compressed(t)) {
			f.raw = packed
			lowerNames(reflect.ValueOf(rr).Elem())
			if f.data, err = pack(rr); err != nil {
				f.data = f.raw
			}
			f.text = strings.TrimPrefix(rr.String(), rr.Header().String())
		}
	}
	if again, err := appendFurtherData(nil, t, f.text); err != nil || !bytes.Equal(again, f.data) {
		f.text = strings.TrimSpace(fmt.Sprintf("%s %d %x", generic, len(f.data), f.data))
	}
	return f
}

// compressed reports whether names in the data of a type may be compressed (RFC 3597 §4).
func compressed(t Type) bool {
	switch uint16(t) {
	case dns.TypeSOA, dns.TypeMB, dns.TypeMG, dns.TypeMR, dns.TypeMD, dns.TypeMF, dns.TypeMINFO, dns.TypeRP, dns.TypeAFSDB, dns.TypeRT, dns.TypePX:
		return true
	}
	return false
}

// pack is the uncompressed data of a record.
func pack(rr dns.RR) ([]byte, error) {
	const head = 1 + 10 // the root's name, type, class, TTL and length
	rr.Header().Name = "."
	b := make([]byte, dns.Len(rr)+head)
	end, err := dns.PackRR(rr, b, 0, nil, false)
	if err != nil { // the length is an estimate
		b = make([]byte, MaxMessage)
		if end, err = dns.PackRR(rr, b, 0, nil, false); err != nil {
			return nil, err
		}
	}
	return b[head:end], nil
}

// lowerNames puts the domain names in a record's data into lower case: servers may give them back in
// another one than they got, and compare them without it.
func lowerNames(rr reflect.Value) {
	for i := range rr.NumField() {
		f, v := rr.Type().Field(i), rr.Field(i)
		switch {
		case f.Anonymous:
			lowerNames(v)
		case !strings.HasSuffix(f.Tag.Get("dns"), "domain-name"):
		case v.Kind() == reflect.String:
			v.SetString(dns.CanonicalName(v.String()))
		case v.Kind() == reflect.Slice:
			for j := range v.Len() {
				v.Index(j).SetString(dns.CanonicalName(v.Index(j).String()))
			}
		}
	}
}
