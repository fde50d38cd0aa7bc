package route53test

import (
	"encoding/xml"
	"reflect"
	"slices"
)

// RecordSet is a ResourceRecordSet as it stands in requests and answers.
type RecordSet struct {
	Name                    string
	Type                    string
	SetIdentifier           string        `xml:",omitempty"`
	Weight                  *int64        `xml:",omitempty"`
	Region                  string        `xml:",omitempty"`
	GeoLocation             *GeoLocation  `xml:",omitempty"`
	GeoProximityLocation    *GeoProximity `xml:",omitempty"`
	Failover                string        `xml:",omitempty"`
	MultiValueAnswer        *bool         `xml:",omitempty"`
	TTL                     *int64        `xml:",omitempty"`
	Values                  []string      `xml:"ResourceRecords>ResourceRecord>Value,omitempty"`
	AliasTarget             *Alias        `xml:",omitempty"`
	HealthCheckID           string        `xml:"HealthCheckId,omitempty"`
	TrafficPolicyInstanceID string        `xml:"TrafficPolicyInstanceId,omitempty"`
	CidrRoutingConfig       *Cidr         `xml:",omitempty"`
}

// GeoLocation is a place that questions come from.
type GeoLocation struct {
	ContinentCode   string `xml:",omitempty"`
	CountryCode     string `xml:",omitempty"`
	SubdivisionCode string `xml:",omitempty"`
}

// GeoProximity is where a resource is.
type GeoProximity struct {
	AWSRegion      string       `xml:",omitempty"`
	LocalZoneGroup string       `xml:",omitempty"`
	Coordinates    *Coordinates `xml:",omitempty"`
	Bias           *int32       `xml:",omitempty"`
}

// Coordinates are degrees.
type Coordinates struct{ Latitude, Longitude string }

// Alias is what an alias record points to.
type Alias struct {
	HostedZoneID         string `xml:"HostedZoneId"`
	DNSName              string
	EvaluateTargetHealth bool
}

// Cidr is the network that questions come from.
type Cidr struct {
	CollectionID string `xml:"CollectionId"`
	LocationName string
}

// valueList holds the values of a record set, each in an element of its own.
type valueList struct {
	Values []struct{ Value string } `xml:"ResourceRecord"`
}

// recordSetXML is RecordSet with the values as the API nests them, which encoding/xml cannot do with a
// path: it would put all values into one ResourceRecord.
type recordSetXML struct {
	*plainSet
	ResourceRecords *valueList `xml:"ResourceRecords,omitempty"`
}

type plainSet RecordSet

// MarshalXML implements xml.Marshaler.
func (r RecordSet) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	p := plainSet(r)
	p.Values = nil
	out := recordSetXML{plainSet: &p}
	if r.Values != nil {
		out.ResourceRecords = &valueList{}
		for _, v := range r.Values {
			out.ResourceRecords.Values = append(out.ResourceRecords.Values, struct{ Value string }{v})
		}
	}
	return e.EncodeElement(out, start)
}

// same reports whether both say the same, values in whatever order.
func (r RecordSet) same(o RecordSet) bool {
	r.Values, o.Values = slices.Sorted(slices.Values(r.Values)), slices.Sorted(slices.Values(o.Values))
	return reflect.DeepEqual(r, o)
}

type changeRequest struct {
	ChangeBatch struct {
		Changes []struct {
			Action            string
			ResourceRecordSet *RecordSet
		} `xml:"Changes>Change"`
	}
}

type changeInfo struct {
	ID          string `xml:"Id"`
	Status      string
	SubmittedAt string
}

type hostedZoneXML struct {
	ID              string `xml:"Id"`
	Name            string
	CallerReference string
	Config          struct {
		Comment     string `xml:",omitempty"`
		PrivateZone bool
	}
	ResourceRecordSetCount int
}

type vpcXML struct {
	VPCRegion string
	VPCID     string `xml:"VPCId"`
}

type tagSetXML struct {
	ResourceType string
	ResourceID   string   `xml:"ResourceId"`
	Tags         []tagXML `xml:"Tags>Tag"`
}

type tagXML struct{ Key, Value string }

// errorXML is how the service refuses.
type errorXML struct {
	XMLName xml.Name `xml:"ErrorResponse"`
	Xmlns   string   `xml:"xmlns,attr"`
	Type    string   `xml:"Error>Type"`
	Code    string   `xml:"Error>Code"`
	Message string   `xml:"Error>Message"`
	ID      string   `xml:"RequestId"`
}

// invalidBatchXML is how the service refuses a change batch.
type invalidBatchXML struct {
	XMLName  xml.Name `xml:"InvalidChangeBatch"`
	Xmlns    string   `xml:"xmlns,attr"`
	Messages []string `xml:"Messages>Message"`
	ID       string   `xml:"RequestId"`
}

const namespace = "https://route53.amazonaws.com/doc/2013-04-01/"
