package wire

import "fmt"

// Rcode is a response code: the four bits of a header, or the wider error field of a TSIG record.
type Rcode uint16

// Response codes (RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 8945 §3).
const (
	NoError  Rcode = 0
	FormErr  Rcode = 1
	ServFail Rcode = 2
	NXDomain Rcode = 3
	NotImp   Rcode = 4
	Refused  Rcode = 5
	YXDomain Rcode = 6
	YXRRSet  Rcode = 7
	NXRRSet  Rcode = 8
	NotAuth  Rcode = 9
	NotZone  Rcode = 10
	BadSig   Rcode = 16
	BadKey   Rcode = 17
	BadTime  Rcode = 18
	BadTrunc Rcode = 22
)

// String is the code's mnemonic.
func (r Rcode) String() string {
	switch r {
	case NoError:
		return "NOERROR"
	case FormErr:
		return "FORMERR"
	case ServFail:
		return "SERVFAIL"
	case NXDomain:
		return "NXDOMAIN"
	case NotImp:
		return "NOTIMP"
	case Refused:
		return "REFUSED"
	case YXDomain:
		return "YXDOMAIN"
	case YXRRSet:
		return "YXRRSET"
	case NXRRSet:
		return "NXRRSET"
	case NotAuth:
		return "NOTAUTH"
	case NotZone:
		return "NOTZONE"
	case BadSig:
		return "BADSIG"
	case BadKey:
		return "BADKEY"
	case BadTime:
		return "BADTIME"
	case BadTrunc:
		return "BADTRUNC"
	}
	return fmt.Sprintf("RCODE%d", uint16(r))
}

// Prerequisite reports whether the code says that a prerequisite of an UPDATE does not hold.
func (r Rcode) Prerequisite() bool {
	return r == NXDomain || r == YXDomain || r == YXRRSet || r == NXRRSet
}
