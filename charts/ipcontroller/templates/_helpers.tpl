{{- define "ipcontroller.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-ipcontroller" (.Release.Name | trunc 37 | trimSuffix "-")) -}}
{{- end }}

{{- define "ipcontroller.selector" -}}
app.kubernetes.io/name: spokedns-ipcontroller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ipcontroller.labels" -}}
{{ include "ipcontroller.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: spokedns
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "ipcontroller.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "ipcontroller.fullname" .) -}}
{{- end }}

{{- define "ipcontroller.image" -}}
{{- $repository := required "image.repository: is not given; want the ipcontroller's image in your registry, such as registry.example.org/spokedns/ipcontroller" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- /* Namespaces of Services whose status is the address, with the Services' names, as NAMESPACE/NAME. */ -}}
{{- define "ipcontroller.services" -}}
{{- $services := list -}}
{{- if eq .Values.ipv4.mode "service" -}}
{{- $services = append $services (required "ipv4.service: is not given; mode service wants NAMESPACE/NAME" .Values.ipv4.service) -}}
{{- end -}}
{{- if eq .Values.ipv6.mode "service" -}}
{{- $services = append $services (required "ipv6.service: is not given; mode service wants NAMESPACE/NAME" .Values.ipv6.service) -}}
{{- end -}}
{{- $services | uniq | join "," -}}
{{- end }}
