package detect

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// IGD asks the site's router for its address on the outside by UPnP (WANIPConnection and WANPPPConnection of
// an Internet Gateway Device). It is told where the device's description is, or where to search for it.
type IGD struct {
	ID          Identity
	Description string // URL of the description, http://192.168.1.1:5000/rootDesc.xml; or
	Search      string // host:port to send the search of SSDP to: 239.255.255.250:1900, or the router's own

	mu       sync.Mutex
	services []igdService // kept while they answer
}

// igdService is one connection to the outside the device has.
type igdService struct{ kind, control string }

// maxDescription bounds a device's description, in bytes.
const maxDescription = 64 << 10

// Identity says who answers.
func (s *IGD) Identity() Identity { return s.ID }

// Lookup asks the device's connections one after the other until one has an address. The address may be one
// that is not public: that is how a carrier-grade NAT shows.
func (s *IGD) Lookup(ctx context.Context, family Family) (netip.Addr, error) {
	if family != IPv4 {
		return netip.Addr{}, fail(WrongFamily, "GetExternalIPAddress is for IPv4 only")
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.services) == 0 {
		found, err := s.describe(ctx)
		if err != nil {
			return netip.Addr{}, err
		}
		s.services = found
	}
	var errs []error
	for _, service := range s.services {
		a, err := service.ask(ctx)
		if err == nil {
			return a, nil
		}
		errs = append(errs, err)
	}
	s.services = nil // the device may have moved: read its description again next time
	return netip.Addr{}, &Error{Kind: KindOf(errs[0]), Err: errors.Join(errs...)}
}

// device is as much of a description (UPnP Device Architecture, section 2.3) as is needed.
type device struct {
	Services []struct {
		Type    string `xml:"serviceType"`
		Control string `xml:"controlURL"`
	} `xml:"serviceList>service"`
	Devices []device `xml:"deviceList>device"`
}

// describe reads the description and finds the connections in it.
func (s *IGD) describe(ctx context.Context) ([]igdService, error) {
	at := s.Description
	if at == "" {
		found, err := search(ctx, s.Search)
		if err != nil {
			return nil, err
		}
		at = found
	}
	base, err := url.Parse(at)
	if err != nil {
		return nil, broken(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, broken(err)
	}
	body, _, err := fetch(newClient(nil, IPv4), req, maxDescription)
	if err != nil {
		return nil, err
	}
	var root struct {
		Base   string `xml:"URLBase"`
		Device device `xml:"device"`
	}
	if err := xml.Unmarshal([]byte(body), &root); err != nil {
		return nil, fail(NotAddress, "want the description of a device, got %s", excerpt(body))
	}
	if root.Base != "" {
		if base, err = base.Parse(root.Base); err != nil {
			return nil, broken(err)
		}
	}
	found := connections(root.Device, base, req.URL.Hostname())
	if len(found) == 0 {
		return nil, fail(Refused, "%s describes no connection to the outside", at)
	}
	return found, nil
}

// connections finds the services that can say an address, in the order of the description. One that points
// to another host than the one described is left out: a device does not send us elsewhere.
func connections(d device, base *url.URL, host string) []igdService {
	var found []igdService
	for _, service := range d.Services {
		switch service.Type {
		case "urn:schemas-upnp-org:service:WANIPConnection:1", "urn:schemas-upnp-org:service:WANIPConnection:2",
			"urn:schemas-upnp-org:service:WANPPPConnection:1":
		default:
			continue
		}
		control, err := base.Parse(strings.TrimSpace(service.Control))
		if err != nil || control.Scheme != "http" || control.Hostname() != host {
			continue
		}
		found = append(found, igdService{kind: service.Type, control: control.String()})
	}
	for _, inner := range d.Devices {
		found = append(found, connections(inner, base, host)...)
	}
	return found
}

// ask calls GetExternalIPAddress.
func (s igdService) ask(ctx context.Context) (netip.Addr, error) {
	const open = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ` +
		`s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:GetExternalIPAddress xmlns:u="`
	call := open + s.kind + `"></u:GetExternalIPAddress></s:Body></s:Envelope>`
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.control, strings.NewReader(call))
	if err != nil {
		return netip.Addr{}, broken(err)
	}
	req.Header.Set("Content-Type", `text/xml; charset="utf-8"`)
	req.Header.Set("SOAPAction", `"`+s.kind+`#GetExternalIPAddress"`)
	body, _, err := fetch(newClient(nil, IPv4), req, maxBody)
	if err != nil {
		return netip.Addr{}, err
	}
	return readSOAP(body)
}

// readSOAP takes the address out of the answer.
func readSOAP(body string) (netip.Addr, error) {
	var envelope struct {
		Address string `xml:"Body>GetExternalIPAddressResponse>NewExternalIPAddress"`
		Fault   string `xml:"Body>Fault>detail>UPnPError>errorDescription"`
	}
	if err := xml.Unmarshal([]byte(body), &envelope); err != nil {
		return netip.Addr{}, fail(NotAddress, "want a SOAP envelope, got %s", excerpt(body))
	}
	if envelope.Fault != "" {
		return netip.Addr{}, fail(Refused, "the router says %s", excerpt(envelope.Fault))
	}
	text := strings.TrimSpace(envelope.Address)
	if text == "" {
		return netip.Addr{}, fail(NoAnswer, "the router has no address on the outside")
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fail(NotAddress, "want one address, got %s", excerpt(text))
	}
	return outside(a)
}
