package detect_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/pion/stun/v3"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/detect/detecttest"
)

func router(t *testing.T, a string) *detecttest.Router {
	t.Helper()
	r, err := detecttest.StartRouter()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	r.Say(addr(a))
	return r
}

// routers is every way to ask r.
func routers(r *detecttest.Router) map[string]detect.Source {
	id := detect.Identity{Name: "router", Operator: "router", Via: detect.ViaRouter}
	return map[string]detect.Source{
		"port map":             &detect.PortMap{ID: id, Server: r.PortMap()},
		"UPnP":                 &detect.IGD{ID: id, Description: r.Description()},
		"UPnP found by search": &detect.IGD{ID: id, Search: r.SSDP()},
	}
}

func TestRoutersSayTheirAddress(t *testing.T) {
	// A router says what it believes: a private address or one of a carrier's NAT is news, not an error.
	for _, want := range []string{here4, "100.64.7.7", "192.168.178.20"} {
		for name, s := range routers(router(t, want)) {
			for range 2 { // the second time UPnP needs no description
				if got := detect.Ask(t.Context(), s, detect.IPv4); got.Err != nil || got.Addr != addr(want) {
					t.Errorf("%s: %v %v, want %s", name, got.Addr, got.Err, want)
				}
			}
			if got := detect.Ask(t.Context(), s, detect.IPv6); detect.KindOf(got.Err) != detect.WrongFamily {
				t.Errorf("%s: IPv6: %v %v", name, got.Addr, got.Err)
			}
		}
	}
}

func TestARouterWithoutAnOutside(t *testing.T) {
	r := router(t, "0.0.0.0")
	for name, s := range routers(r) {
		if got := detect.Ask(t.Context(), s, detect.IPv4); detect.KindOf(got.Err) != detect.NoAnswer {
			t.Errorf("%s: %v %v", name, got.Addr, got.Err)
		}
	}
	r.Say(addr(here4))
	for name, s := range routers(r) {
		if got := detect.Ask(t.Context(), s, detect.IPv4); got.Addr != addr(here4) {
			t.Errorf("%s: back: %v %v", name, got.Addr, got.Err)
		}
	}
}

func TestARouterOfPCPOnly(t *testing.T) {
	r := router(t, here4)
	r.PCPOnly(0)
	s := &detect.PortMap{Server: r.PortMap(), ID: detect.Identity{Name: "router", Operator: "router", Via: detect.ViaRouter}}
	for range 3 {
		if got := detect.Ask(t.Context(), s, detect.IPv4); got.Addr != addr(here4) {
			t.Fatalf("got %v %v", got.Addr, got.Err)
		}
	}
	if n := r.Mappings(); n != 1 {
		t.Errorf("%d mappings on the router, want the same one each time", n)
	}
	for code, want := range map[byte]detect.Kind{2: detect.Refused, 7: detect.NoAnswer, 12: detect.Refused, 8: detect.Refused} {
		r.PCPOnly(code)
		if got := detect.Ask(t.Context(), s, detect.IPv4); detect.KindOf(got.Err) != want {
			t.Errorf("error %d: %v %v, want %s", code, got.Addr, got.Err, want)
		}
	}
}

func TestUPnPThatGoesWrong(t *testing.T) {
	soap := func(inner string) string {
		return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + inner + `</s:Body></s:Envelope>`
	}
	said := func(a string) string {
		return soap(`<u:GetExternalIPAddressResponse xmlns:u="x"><NewExternalIPAddress>` + a + `</NewExternalIPAddress></u:GetExternalIPAddressResponse>`)
	}
	elsewhere := `<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>` +
		`<controlURL>http://192.0.2.1/ctl</controlURL></service></serviceList></device></root>`
	here := `<root><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>` +
		`<controlURL>/ctl</controlURL></service></serviceList></device></root>`
	for _, tt := range []struct {
		name, description, answer string
		status                    int
		want                      detect.Kind
	}{
		{"not XML", "<html><br>", "", 200, detect.NotAddress},
		{"a device that sends us elsewhere", elsewhere, said(here4), 200, detect.Refused},
		{"no connection", "<root><device/></root>", "", 200, detect.Refused},
		{"a fault with 500", here, soap("<s:Fault/>"), 500, detect.Refused},
		{"a fault with 200", here, soap("<s:Fault><detail><UPnPError><errorDescription>Invalid Action</errorDescription></UPnPError></detail></s:Fault>"), 200, detect.Refused},
		{"nothing", here, said(""), 200, detect.NoAnswer},
		{"nonsense", here, said("unknown"), 200, detect.NotAddress},
		{"IPv6", here, said(here6), 200, detect.WrongFamily},
		{"not SOAP", here, here4, 200, detect.NotAddress},
	} {
		r := router(t, here4)
		r.AnswerHTTP(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodGet {
				fmt.Fprint(w, tt.description)
				return
			}
			w.WriteHeader(tt.status)
			fmt.Fprint(w, tt.answer)
		})
		s := routers(r)["UPnP"]
		if got := detect.Ask(t.Context(), s, detect.IPv4); detect.KindOf(got.Err) != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.name, got.Addr, got.Err, tt.want)
		}
		r.Say(addr(here4))
		if got := detect.Ask(t.Context(), s, detect.IPv4); got.Addr != addr(here4) {
			t.Errorf("%s: it did not recover: %v %v", tt.name, got.Addr, got.Err)
		}
	}
}

func TestSTUNThatGoesWrong(t *testing.T) {
	build := func(t *testing.T, reply []byte, setters ...stun.Setter) [][]byte {
		t.Helper()
		m, err := stun.Build(append([]stun.Setter{stun.NewTransactionIDSetter([12]byte(reply[8:20]))}, setters...)...)
		if err != nil {
			t.Error(err)
		}
		return [][]byte{m.Raw}
	}
	for _, tt := range []struct {
		name    string
		setters []stun.Setter
		want    detect.Kind
	}{
		{"an error", []stun.Setter{stun.BindingError, stun.CodeBadRequest}, detect.Refused},
		{"an error without a code", []stun.Setter{stun.BindingError}, detect.Refused},
		{"no address", []stun.Setter{stun.BindingSuccess}, detect.NotAddress},
		{"only the plain address", []stun.Setter{stun.BindingSuccess, &stun.MappedAddress{IP: addr(here4).AsSlice(), Port: 1}}, detect.NotAddress},
		{"an address cut short", []stun.Setter{stun.BindingSuccess, stun.RawAttribute{Type: stun.AttrXORMappedAddress, Value: []byte{0, 1, 0, 0, 1}}}, detect.NotAddress},
		{"the other family", []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: addr(here6).AsSlice(), Port: 1}}, detect.WrongFamily},
		{"a private address", []stun.Setter{stun.BindingSuccess, &stun.XORMappedAddress{IP: addr("10.9.8.7").AsSlice(), Port: 1}}, detect.NotPublic},
	} {
		o, ca := operator(t, "127.0.0.1", here4)
		o.AnswerPackets(func(reply []byte) [][]byte { return build(t, reply, tt.setters...) })
		if got := detect.Ask(t.Context(), sources(o, ca)["stun"], detect.IPv4); detect.KindOf(got.Err) != tt.want {
			t.Errorf("%s: %v %v, want %s", tt.name, got.Addr, got.Err, tt.want)
		}
	}
}
