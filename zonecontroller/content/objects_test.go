package content_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/content"
)

const email = "hostmaster@example.org"

// zone is example.org with a name server in it and one outside.
func zone() *v1alpha1.DNSZone {
	return &v1alpha1.DNSZone{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: "main"},
		Spec: v1alpha1.DNSZoneSpec{
			ZoneName: "example.org", TTL: 300,
			SOA: v1alpha1.SOA{PrimaryNS: "ns1.example.org", AdminEmail: email, Refresh: 3600, Retry: 600, Expire: 604800, NegativeTTL: 60},
			NameServers: []v1alpha1.NameServer{
				{Hostname: "NS1.example.org.", IPv4Addresses: []string{"192.0.2.53"}},
				{Hostname: "ns2.example.net"},
			},
		},
	}
}

// record is an object in the zone; the seconds since some moment are its age, the fewer the older.
func record(name string, second int, owner, typ string, values ...string) v1alpha1.DNSRecord {
	return v1alpha1.DNSRecord{
		ObjectMeta: metav1.ObjectMeta{Namespace: "dns", Name: name, CreationTimestamp: metav1.NewTime(time.Unix(int64(second), 0))},
		Spec:       v1alpha1.DNSRecordSpec{Zone: v1alpha1.ZoneReference{Name: "main"}, Name: owner, Type: typ, Values: values},
	}
}

func id(name string) types.NamespacedName { return types.NamespacedName{Namespace: "dns", Name: name} }

// set is an RRset of the zone.
func set(name, typ string, ttl int, values ...string) backend.RRset {
	return backend.RRset{Key: backend.Key{Name: name, Type: typ}, TTL: time.Duration(ttl) * time.Second, Values: values}
}

func text(sets []backend.RRset) []string {
	var all []string
	for _, s := range sets {
		all = append(all, fmt.Sprintf("%s %d %q", s.Key, s.TTL/time.Second, s.Values))
	}
	return all
}

// fails says what is wrong with an object when its fault is not the wished one.
func fails(t *testing.T, faults map[types.NamespacedName]content.Fault, object, reason, field string, says ...string) {
	t.Helper()
	f, ok := faults[id(object)]
	if !ok {
		t.Errorf("%s is not refused; want %s", object, reason)
		return
	}
	if f.Reason != reason || f.Field != field {
		t.Errorf("%s: %s in %q (%v), want %s in %q", object, f.Reason, f.Field, f, reason, field)
	}
	contains(t, f.Error(), says...)
}
