{{- /* "true" if one of the sources is among those named: include "webhook.any" (list . "ingress" "service"). */ -}}
{{- define "webhook.any" -}}
{{- $sources := (first .).Values.externalDNS.sources -}}
{{- range rest . -}}
{{- if has . $sources -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- define "webhook.gatewaySources" -}}
{{- range .Values.externalDNS.sources -}}
{{- if hasPrefix "gateway-" . -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- /* What external-dns reads, source by source. */ -}}
{{- define "webhook.externalDNSRules" -}}
{{- $read := "[get, list, watch]" -}}
{{- if include "webhook.any" (list . "service" "istio-gateway" "istio-virtualservice" "contour-httpproxy" "gloo-proxy" "openshift-route" "skipper-routegroup") }}
- {apiGroups: [""], resources: [services], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "service") }}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "service" "pod" "contour-httpproxy" "gloo-proxy" "openshift-route" "skipper-routegroup") }}
- {apiGroups: [""], resources: [pods], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "service" "pod" "node" "contour-httpproxy" "gloo-proxy" "openshift-route" "skipper-routegroup") }}
- {apiGroups: [""], resources: [nodes], verbs: {{ $read }}}
{{- end }}
{{- if or .Values.drain (include "webhook.any" (list . "ingress" "istio-gateway" "istio-virtualservice" "contour-httpproxy" "gloo-proxy" "openshift-route" "skipper-routegroup")) }}
- {apiGroups: [networking.k8s.io], resources: [ingresses], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.gatewaySources" . }}
- {apiGroups: [""], resources: [namespaces], verbs: {{ $read }}}
- apiGroups: [gateway.networking.k8s.io]
  resources:
    - gateways
    {{- if .Values.externalDNS.gateway.listenerSets }}
    - listenersets
    {{- end }}
    {{- range .Values.externalDNS.sources }}
    {{- if hasPrefix "gateway-" . }}
    - {{ trimPrefix "gateway-" . }}s
    {{- end }}
    {{- end }}
  verbs: {{ $read }}
{{- end }}
{{- if include "webhook.any" (list . "crd") }}
- {apiGroups: [externaldns.k8s.io], resources: [dnsendpoints], verbs: {{ $read }}}
- {apiGroups: [externaldns.k8s.io], resources: [dnsendpoints/status], verbs: [update]}
{{- end }}
{{- if include "webhook.any" (list . "istio-gateway" "istio-virtualservice") }}
- {apiGroups: [networking.istio.io], resources: [gateways], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "istio-virtualservice") }}
- {apiGroups: [networking.istio.io], resources: [virtualservices], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "traefik-proxy") }}
- {apiGroups: [traefik.io], resources: [ingressroutes, ingressroutetcps, ingressrouteudps], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "contour-httpproxy") }}
- {apiGroups: [projectcontour.io], resources: [httpproxies], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "openshift-route") }}
- {apiGroups: [route.openshift.io], resources: [routes], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "f5-virtualserver") }}
- {apiGroups: [cis.f5.com], resources: [virtualservers], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "f5-transportserver") }}
- {apiGroups: [cis.f5.com], resources: [transportservers], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "ambassador-host") }}
- {apiGroups: [getambassador.io], resources: [hosts, ingresses], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "kong-tcpingress") }}
- {apiGroups: [configuration.konghq.com], resources: [tcpingresses], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "gloo-proxy") }}
- {apiGroups: [gloo.solo.io, gateway.solo.io], resources: [proxies, virtualservices, gateways], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "skipper-routegroup") }}
- {apiGroups: [zalando.org], resources: [routegroups], verbs: {{ $read }}}
{{- end }}
{{- if .Values.externalDNS.eventsEmit }}
- {apiGroups: [events.k8s.io], resources: [events], verbs: [create, patch]}
{{- end }}
{{- with .Values.rbac.extraRules }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* The kinds the webhook watches, those of the sources, as JSON under "kinds": what webhook.rules lets it read. */ -}}
{{- define "webhook.kinds" -}}
{{- $kinds := list -}}
{{- range .Values.externalDNS.sources -}}
{{- if has . (list "ingress" "service" "crd") -}}
{{- $kinds = append $kinds . -}}
{{- else if hasPrefix "gateway-" . -}}
{{- $kinds = append $kinds (trimPrefix "gateway-" .) -}}
{{- else if hasPrefix "istio-" . -}}
{{- $kinds = append $kinds (trimPrefix "istio-" .) -}}
{{- else if eq . "traefik-proxy" -}}
{{- $kinds = concat $kinds (list "ingressroute" "ingressroutetcp" "ingressrouteudp") -}}
{{- end -}}
{{- end -}}
{{- dict "kinds" $kinds | toJson -}}
{{- end }}

{{- /* "true" if DNSZones bring zones to a view. */ -}}
{{- define "webhook.findsZones" -}}
{{- range (.Values.config).views -}}
{{- if kindIs "map" .zonesFrom -}}true{{- end -}}
{{- end -}}
{{- end }}

{{- /* What the webhook reads (docs/kubernetes.md): the kinds of the sources, and what says their class and address. */ -}}
{{- define "webhook.rules" -}}
{{- $read := "[get, list, watch]" -}}
{{- if include "webhook.any" (list . "service" "istio-gateway" "istio-virtualservice") }}
- {apiGroups: [""], resources: [services], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "ingress" "istio-gateway" "istio-virtualservice") }}
- {apiGroups: [networking.k8s.io], resources: [ingresses, ingressclasses], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.gatewaySources" . }}
- apiGroups: [gateway.networking.k8s.io]
  resources:
    - gateways
    - listenersets
    {{- range .Values.externalDNS.sources }}
    {{- if hasPrefix "gateway-" . }}
    - {{ trimPrefix "gateway-" . }}s
    {{- end }}
    {{- end }}
  verbs: {{ $read }}
- {apiGroups: [gateway.networking.x-k8s.io], resources: [xlistenersets], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "crd") }}
- {apiGroups: [externaldns.k8s.io], resources: [dnsendpoints], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "istio-gateway" "istio-virtualservice") }}
- {apiGroups: [networking.istio.io], resources: [gateways], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "istio-virtualservice") }}
- {apiGroups: [networking.istio.io], resources: [virtualservices], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.any" (list . "traefik-proxy") }}
- {apiGroups: [traefik.io], resources: [ingressroutes, ingressroutetcps, ingressrouteudps], verbs: {{ $read }}}
{{- end }}
{{- if include "webhook.findsZones" . }}
- {apiGroups: [dns.spokedns.io], resources: [dnszones], verbs: {{ $read }}}
{{- end }}
{{- end }}

{{- /*
A warning of sources whose kinds the cluster does not know: external-dns waits a minute for them, ends, and begins anew.
Helm knows what the cluster knows when it installs; on paper, in "helm template", it does not.
*/ -}}
{{- define "webhook.absent" -}}
{{- $absent := list -}}
{{- range $source := .Values.externalDNS.sources -}}
{{- range $prefix, $api := dict "gateway-" "gateway.networking.k8s.io/v1" "crd" "externaldns.k8s.io/v1alpha1" "istio-" "networking.istio.io/v1" "traefik-" "traefik.io/v1alpha1" -}}
{{- if and (hasPrefix $prefix $source) (not ($.Capabilities.APIVersions.Has $api)) -}}
{{- $absent = append $absent (printf "%s (%s)" $source $api) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $absent }}
WARNING: this cluster does not know what these sources read: {{ join ", " . }}.
Until its definitions are there, or the source is left out, external-dns ends after a minute, again and again, and
publishes nothing.
{{- end -}}
{{- end }}
