package wire

import "encoding/binary"

// Version is what a zone's SOA record says (RFC 1035 §3.3.13). Two equal ones mean an unchanged zone.
type Version struct {
	Primary, Contact                        string
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// ReadVersion decodes the data of an SOA record.
func ReadVersion(data []byte) (Version, error) { return readVersion(data, 0, len(data)) }

// readVersion decodes the data msg[off:end] of an SOA record.
func readVersion(msg []byte, off, end int) (v Version, err error) {
	for _, name := range []*string{&v.Primary, &v.Contact} {
		var text []byte
		if text, off, _, err = appendNameText(nil, msg[:end], off); err != nil {
			return v, err
		}
		*name = string(text)
	}
	if end-off != 20 {
		return v, errData(SOA)
	}
	for i, n := range []*uint32{&v.Serial, &v.Refresh, &v.Retry, &v.Expire, &v.Minimum} {
		*n = binary.BigEndian.Uint32(msg[off+4*i:])
	}
	return v, nil
}

// appendVersion appends an SOA record of the zone that the message's question is about.
func appendVersion(b []byte, v *Version) ([]byte, error) {
	b = append(b, 0xc0, headerLen)
	b = binary.BigEndian.AppendUint16(b, uint16(SOA))
	b = binary.BigEndian.AppendUint16(b, classIN)
	b = append(b, 0, 0, 0, 0, 0, 0)
	data := len(b)
	for _, name := range []string{v.Primary, v.Contact} {
		var err error
		if b, err = AppendName(b, name); err != nil {
			return nil, err
		}
	}
	for _, n := range []uint32{v.Serial, v.Refresh, v.Retry, v.Expire, v.Minimum} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	binary.BigEndian.PutUint16(b[data-2:], uint16(len(b)-data))
	return b, nil
}
