{{- define "central.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-central-dns" (.Release.Name | trunc 33 | trimSuffix "-")) -}}
{{- end }}

{{- /* Labels pods are found by: include "central.selector" (list . "coredns"). */ -}}
{{- define "central.selector" -}}
app.kubernetes.io/name: spokedns-central-dns
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{- define "central.labels" -}}
{{- $ := first . -}}
{{ include "central.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: spokedns
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* Repository and tag or digest. */ -}}
{{- define "central.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end }}

{{- define "central.etcdSecret" -}}{{ .Values.tls.etcdSecret | default (printf "%s-etcd" (include "central.fullname" .)) }}{{- end }}
{{- define "central.coreDNSSecret" -}}{{ .Values.tls.coreDNSSecret | default (printf "%s-coredns" (include "central.fullname" .)) }}{{- end }}
{{- define "central.rootSecret" -}}{{ .Values.tls.rootSecret | default (printf "%s-root" (include "central.fullname" .)) }}{{- end }}

{{- /* Names of the members, as a JSON list under "hosts". */ -}}
{{- define "central.members" -}}
{{- $name := include "central.fullname" . -}}
{{- $hosts := list -}}
{{- range until (int .Values.etcd.replicas) -}}
{{- $hosts = append $hosts (printf "%s-etcd-%d.%s-etcd-members.%s.svc" $name . $name $.Release.Namespace) -}}
{{- end -}}
{{- dict "hosts" $hosts | toJson -}}
{{- end }}

{{- /* URLs of etcd, as a JSON list under "urls". */ -}}
{{- define "central.endpoints" -}}
{{- $urls := .Values.etcd.endpoints -}}
{{- if not $urls -}}
{{- range (include "central.members" . | fromJson).hosts -}}
{{- $urls = append $urls (printf "https://%s:2379" .) -}}
{{- end -}}
{{- end -}}
{{- dict "urls" $urls | toJson -}}
{{- end }}

{{- define "central.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "central.podSecurityContext" -}}
{{- toYaml (merge (dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault")) .Values.podSecurityContext) -}}
{{- end }}

{{- define "central.apart" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    - weight: 100
      podAffinityTerm:
        topologyKey: kubernetes.io/hostname
        labelSelector:
          matchLabels:
            {{- include "central.selector" . | nindent 12 }}
{{- end }}
