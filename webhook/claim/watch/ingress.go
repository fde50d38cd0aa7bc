package watch

import (
	"cmp"
	"strings"
	"time"

	"github.com/spokedns/spokedns/webhook/claim"
)

const (
	ingressClassAnnotation = "kubernetes.io/ingress.class"
	defaultClassAnnotation = "ingressclass.kubernetes.io/is-default-class"
)

// loadBalancer is the status that Ingresses and Services share.
type loadBalancer struct {
	LoadBalancer struct {
		Ingress []struct {
			IP       string `json:"ip"`
			Hostname string `json:"hostname"`
		} `json:"ingress"`
	} `json:"loadBalancer"`
}

func (l *loadBalancer) targets() []string {
	var all []string
	for _, i := range l.LoadBalancer.Ingress {
		all = append(all, i.IP, i.Hostname)
	}
	return targets(all...)
}

// readIngress: hosts are those of rules, tls and the hostname annotation, unless ingress-hostname-source
// restricts them.
func readIngress(r *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
		Spec     struct {
			IngressClassName string `json:"ingressClassName"`
			Rules            []struct {
				Host string `json:"host"`
			} `json:"rules"`
			TLS []struct {
				Hosts []string `json:"hosts"`
			} `json:"tls"`
		} `json:"spec"`
		Status loadBalancer `json:"status"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := &in.Metadata
	c := r.base("ingress", m)
	if c.Targets = r.targetAnnotation(m); len(c.Targets) == 0 {
		c.Targets = in.Status.targets()
	}
	if !r.ignored(m) {
		var defined []string
		for _, rule := range in.Spec.Rules {
			defined = append(defined, rule.Host)
		}
		for _, tls := range in.Spec.TLS {
			defined = append(defined, tls.Hosts...)
		}
		annotated := r.hostnames(m, "hostname")
		if source, ok := r.annotation(m, "ingress-hostname-source"); ok {
			source = strings.ToLower(source)
			if source != "defined-hosts-only" {
				defined = nil
			}
			if source != "annotation-only" {
				annotated = nil
			}
		}
		c.Hosts = hosts(append(defined, annotated...)...)
	}
	c.IngressClass = intern(cmp.Or(in.Spec.IngressClassName, m.Annotations[ingressClassAnnotation]))
	if c.IngressClass == "" {
		return in.Metadata, &classlessIngress{c}, nil
	}
	return in.Metadata, fixed{c}, nil
}

// classlessIngress names no class: it belongs to the default one of the moment.
type classlessIngress struct{ of *claim.Claim }

func (i *classlessIngress) claim(s *store) *claim.Claim {
	c := *i.of
	if why := s.unknown(ingressClasses); why != "" {
		c.Unknown = "default ingress class: " + why
		return &c
	}
	c.IngressClass = defaultClass(s.kept[ingressClasses])
	return &c
}

// ingressClass is a class; what matters is whether it is the default.
type ingressClass struct {
	isDefault bool
	created   time.Time
}

func (*ingressClass) claim(*store) *claim.Claim { return nil }

func readIngressClass(_ *reader, read decode) (meta, object, error) {
	var in struct {
		Metadata meta `json:"metadata"`
	}
	if err := read(&in); err != nil {
		return in.Metadata, nil, err
	}
	m := in.Metadata
	return m, &ingressClass{m.Annotations[defaultClassAnnotation] == "true", m.CreationTimestamp}, nil
}

// defaultClass picks as the API server does at admission: of several defaults the newest, of equally old
// ones the first by name. Without a default it is "".
func defaultClass(classes map[key]object) string {
	var name string
	var chosen *ingressClass
	for k, o := range classes {
		class, ok := o.(*ingressClass)
		if !ok || !class.isDefault {
			continue
		}
		if chosen == nil || class.created.After(chosen.created) ||
			class.created.Equal(chosen.created) && k.name < name {
			name, chosen = k.name, class
		}
	}
	return name
}
