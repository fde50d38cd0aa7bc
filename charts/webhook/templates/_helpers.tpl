{{- define "webhook.fullname" -}}
{{- .Values.fullnameOverride | default (printf "%s-webhook" (.Release.Name | trunc 42 | trimSuffix "-")) -}}
{{- end }}

{{- define "webhook.selector" -}}
app.kubernetes.io/name: spokedns-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "webhook.labels" -}}
{{ include "webhook.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: spokedns
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- /* The pods the webhook runs in: ours, or another chart's. */ -}}
{{- define "webhook.pods" -}}
{{- if .Values.companionOnly -}}
{{- toYaml .Values.companion.podLabels -}}
{{- else -}}
{{- include "webhook.selector" . -}}
{{- end -}}
{{- end }}

{{- define "webhook.serviceAccountName" -}}
{{- if and .Values.companionOnly (not .Values.serviceAccount.name) -}}
{{- fail "serviceAccount.name: is not given; with companionOnly it is the ServiceAccount of the other chart's pod, such as external-dns" -}}
{{- end -}}
{{- .Values.serviceAccount.name | default (include "webhook.fullname" .) -}}
{{- end }}

{{- define "webhook.image" -}}
{{- $repository := required "image.repository: is not given; want the webhook's image in your registry, such as registry.example.org/spokedns/webhook" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end }}

{{- define "webhook.externalDNSImage" -}}
{{- if .Values.externalDNS.image.digest -}}
{{- printf "%s@%s" .Values.externalDNS.image.repository .Values.externalDNS.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.externalDNS.image.repository (required "externalDNS.image.tag: is not given; want a release of external-dns, such as v0.21.0, or a digest" .Values.externalDNS.image.tag) -}}
{{- end -}}
{{- end }}

{{- /* What ownership records say: one place for external-dns's flags and the webhook's section externalDNS. */ -}}
{{- define "webhook.ownership" -}}
{{- if and (eq .Values.externalDNS.registry "txt") (not .Values.externalDNS.txtOwnerId) -}}
{{- fail "externalDNS.txtOwnerId: is not given; want a name that no other cluster writing to these zones has, such as spoke-1" -}}
{{- end -}}
{{- if and .Values.externalDNS.txtPrefix .Values.externalDNS.txtSuffix -}}
{{- fail (printf "externalDNS.txtSuffix: %q: goes with no txtPrefix; set externalDNS.txtPrefix to \"\"" .Values.externalDNS.txtSuffix) -}}
{{- end -}}
{{- range (.Values.config).views -}}
{{- $label := ((.backend).etcd).wildcardLabel -}}
{{- if and $label (has $.Values.externalDNS.txtWildcardReplacement (list "any" $label)) -}}
{{- fail (printf "externalDNS.txtWildcardReplacement: %q: CoreDNS takes it for a wildcard; with wildcardLabel of backend etcd want another word, such as star" $.Values.externalDNS.txtWildcardReplacement) -}}
{{- end -}}
{{- end -}}
registry: {{ .Values.externalDNS.registry }}
{{- with .Values.externalDNS.txtOwnerId }}
txtOwnerID: {{ . | quote }}
{{- end }}
{{- with .Values.externalDNS.txtPrefix }}
txtPrefix: {{ . | quote }}
{{- end }}
{{- with .Values.externalDNS.txtSuffix }}
txtSuffix: {{ . | quote }}
{{- end }}
{{- with .Values.externalDNS.txtWildcardReplacement }}
txtWildcardReplacement: {{ . | quote }}
{{- end }}
{{- end }}

{{- /* The webhook's configuration file. */ -}}
{{- define "webhook.config" -}}
{{- if not .Values.config -}}
{{- fail "config: is not given; want the webhook's configuration, at least views with a zone and a backend (docs/configuration.md)" -}}
{{- end -}}
{{- $ownership := include "webhook.ownership" . | fromYaml -}}
{{- $config := mergeOverwrite (dict "kubernetes" (include "webhook.kinds" . | fromJson)) .Values.config -}}
{{- $own := dict "externalDNS" $ownership -}}
{{- if .Values.drain -}}
{{- /* Deleting everything is what is meant. */ -}}
{{- $_ := set $own "rails" (dict "maxDeleteShare" 1) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config $own) -}}
{{- end }}

{{- /* What external-dns looks at, how often, and what it may do. Draining, it looks for what cannot be, an object with a
label and without it, so that all its records are too many. (It has a source named empty, which no release can open.) */ -}}
{{- define "webhook.looks" -}}
{{- if .Values.drain -}}
{{- if eq .Values.externalDNS.registry "noop" -}}
{{- fail "drain: true: with externalDNS.registry noop external-dns takes every record in the zones for its own, and would delete those of others" -}}
{{- end -}}
- --source=ingress
- --label-filter=dns.spokedns.io/drain,!dns.spokedns.io/drain
- --policy=sync
- --interval=2s
{{- else -}}
{{- range .Values.externalDNS.sources -}}
- --source={{ . }}
{{ end -}}
{{- with .Values.externalDNS.labelFilter -}}
- {{ printf "--label-filter=%s" . | quote }}
{{ end -}}
- --policy={{ .Values.externalDNS.policy }}
- --interval={{ .Values.externalDNS.interval }}
{{- if .Values.externalDNS.events }}
- --events
{{- end }}
{{- end -}}
{{- end }}

{{- /* Ports the backends are reached at, as a JSON list under "ports". */ -}}
{{- define "webhook.backendPorts" -}}
{{- $ports := list -}}
{{- range (.Values.config).views -}}
{{- range $kind, $settings := .backend -}}
{{- range concat (($settings).servers | default list) (($settings).endpoints | default list) (compact (list ($settings).url ($settings).endpoint)) -}}
{{- $port := regexFind ":[0-9]+(/|$)" . | trimPrefix ":" | trimSuffix "/" -}}
{{- if $port -}}
{{- $ports = append $ports (int $port) -}}
{{- else if hasPrefix "http://" . -}}
{{- $ports = append $ports 80 -}}
{{- else if hasPrefix "https://" . -}}
{{- $ports = append $ports 443 -}}
{{- end -}}
{{- end -}}
{{- if has $kind (list "azuredns" "clouddns" "route53" "gandi") -}}
{{- $ports = append $ports 443 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "ports" ($ports | uniq) | toJson -}}
{{- end }}

{{- /* Who the pod is to the cloud, as annotations of its ServiceAccount. */ -}}
{{- define "webhook.identity" -}}
{{- with .Values.identity.azure.clientId }}
azure.workload.identity/client-id: {{ . }}
{{- end }}
{{- with .Values.identity.azure.tenantId }}
azure.workload.identity/tenant-id: {{ . }}
{{- end }}
{{- with .Values.identity.google.serviceAccount }}
iam.gke.io/gcp-service-account: {{ . }}
{{- end }}
{{- with .Values.identity.aws.roleArn }}
eks.amazonaws.com/role-arn: {{ . }}
{{- end }}
{{- with .Values.serviceAccount.annotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* "true" if a target finds the site's address out by itself. */ -}}
{{- define "webhook.detects" -}}
{{- range (.Values.config).targets -}}
{{- if hasKey ((.).wanIP | default dict) "detect" -}}true{{- end -}}
{{- end -}}
{{- end }}
