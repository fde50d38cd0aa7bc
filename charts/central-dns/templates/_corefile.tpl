{{- /*
The Corefile that "corednsconfig central-corefile" prints for the file in the same ConfigMap, to the letter: a test
compares the two.
*/ -}}
{{- define "central.reverse" -}}
{{- if or (eq . "in-addr.arpa") (hasSuffix ".in-addr.arpa" .) (eq . "ip6.arpa") (hasSuffix ".ip6.arpa" .) -}}true{{- end -}}
{{- end }}

{{- /* Base domains and below them the clusters' zones, and those that are no trees of addresses, as JSON. */ -}}
{{- define "central.zones" -}}
{{- $forward := list -}}
{{- range .Values.landscape.zones -}}
{{- if not (include "central.reverse" .) -}}{{- $forward = append $forward . -}}{{- end -}}
{{- end -}}
{{- $zones := .Values.landscape.zones -}}
{{- range $cluster := .Values.landscape.clusters -}}
{{- if $cluster.zones -}}
{{- $zones = concat $zones $cluster.zones -}}
{{- else -}}
{{- range $forward -}}{{- $zones = append $zones (printf "%s.%s" $cluster.name .) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "all" ($zones | uniq) "forward" $forward | toJson -}}
{{- end }}

{{- define "central.duration" -}}
{{- . | int | toString | duration | replace "m0s" "m" | replace "h0m" "h" -}}
{{- end }}

{{- define "central.etcdBlock" -}}
{{- $ := .root -}}
etcd {{ .zones.all | join " " }} {
    path {{ $.Values.landscape.path }}
    endpoint {{ (include "central.endpoints" $ | fromJson).urls | join " " }}
    tls /etc/etcd-client/tls.crt /etc/etcd-client/tls.key /etc/etcd-client/ca.crt
    {{- if and .fallthrough .zones.forward }}
    fallthrough {{ .zones.forward | join " " }}
    {{- end }}
}
{{- end }}

{{- define "central.cache" -}}
cache {
    success 65536 {{ int .Values.server.maxTTLSeconds }}
    denial 9984 5
    servfail 1s
    serve_stale {{ include "central.duration" .Values.server.staleForSeconds }} verify 200ms
}
{{- end }}

{{- define "central.corefile" -}}
{{- $zones := include "central.zones" . | fromJson -}}
{{- $wildcards := and .Values.server.wildcards $zones.forward -}}
{{- $soa := `authority "{{ .Zone }} 30 IN SOA ns.dns.{{ .Zone }} hostmaster.{{ .Zone }} 1 7200 1800 86400 30"` -}}
# The central DNS of {{ .Values.landscape.zones | join ", " }}, written by spokedns.
{{ range $i, $zone := .Values.landscape.zones }}{{ if $i }} {{ end }}{{ $zone }}:1053{{ end }} {
    errors
    prometheus :9153
    health :8080 {
        lameduck 5s
    }
    ready :8181
    reload
    loadbalance
    {{- if $wildcards }}
    # The etcd plugin takes these labels for a question about all names; the wildcard is what they can mean.
    rewrite name regex ^(?:\*|any)\.(.+)\.$ _wildcard.{1} answer auto
    {{- end }}
    {{- include "central.cache" . | nindent 4 }}
    # Where they stand elsewhere there is no such name.
    template IN ANY {{ .Values.landscape.zones | join " " }} {
        match (^|\.)(any|\*)\.
        rcode NXDOMAIN
        {{ $soa }}
        fallthrough
    }
    # It knows no names but keys when asked for these, and says that names do not exist that do.
    template IN CNAME {{ .Values.landscape.zones | join " " }} {
        rcode NOERROR
        {{ $soa }}
    }
    {{- if $zones.forward }}
    template IN PTR {{ $zones.forward | join " " }} {
        rcode NOERROR
        {{ $soa }}
    }
    {{- end }}
    {{- include "central.etcdBlock" (dict "root" . "zones" $zones "fallthrough" $wildcards) | nindent 4 }}
    {{- if $wildcards }}
    forward . 127.0.0.1:5301 {
        max_fails 0
    }
    {{- end }}
}
{{- if $wildcards }}

{{ range $i, $zone := $zones.forward }}{{ if $i }} {{ end }}{{ $zone }}:5301{{ end }} {
    bind 127.0.0.1
    errors
    {{- range $zones.forward }}
    rewrite name regex ^[^.]+\.((?:.+\.)?{{ regexQuoteMeta . }})\.$ _wildcard.{1} answer auto
    {{- end }}
    {{- include "central.etcdBlock" (dict "root" . "zones" $zones "fallthrough" false) | nindent 4 }}
}
{{- end }}
{{- if .Values.server.upstreams }}

.:1053 {
    errors
    prometheus :9153
    {{- include "central.cache" . | nindent 4 }}
    forward . {{ .Values.server.upstreams | join " " }}
}
{{- end }}
{{ end }}
