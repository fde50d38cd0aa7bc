{{- define "zonecontroller.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-zonecontroller" (.Release.Name | trunc 31 | trimSuffix "-")) -}}
{{- end }}

{{- define "zonecontroller.selector" -}}
app.kubernetes.io/name: spokedns-zonecontroller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "zonecontroller.labels" -}}
{{ include "zonecontroller.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: spokedns
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "zonecontroller.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "zonecontroller.fullname" .) -}}
{{- end }}

{{- define "zonecontroller.image" -}}
{{- $repository := required "image.repository: is not given; want the zonecontroller's image in your registry, such as registry.example.org/spokedns/zonecontroller" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}
