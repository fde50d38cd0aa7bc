{{- define "corednsconfig.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-corednsconfig" (.Release.Name | trunc 31 | trimSuffix "-")) -}}
{{- end }}

{{- define "corednsconfig.selector" -}}
app.kubernetes.io/name: spokedns-corednsconfig
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "corednsconfig.labels" -}}
{{ include "corednsconfig.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: spokedns
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "corednsconfig.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "corednsconfig.fullname" .) -}}
{{- end }}

{{- define "corednsconfig.image" -}}
{{- $repository := required "image.repository: is not given; want the corednsconfig's image in your registry, such as registry.example.org/spokedns/corednsconfig" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}
