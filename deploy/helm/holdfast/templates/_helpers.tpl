{{- define "holdfast.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "holdfast.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "holdfast.name" .) .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "holdfast.name" .) | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- /* Selectors cannot be changed in a Deployment: nothing of a version or of values that change may be in here. */}}
{{- define "holdfast.selector" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: node
{{- end }}

{{- define "holdfast.labels" -}}
app.kubernetes.io/name: {{ include "holdfast.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "holdfast.meta" -}}
name: {{ include "holdfast.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "holdfast.labels" . | nindent 2 }}
{{- end }}

{{- define "holdfast.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "holdfast.serviceAccount" -}}
{{ if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "holdfast.fullname" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "holdfast.target" -}}
{{- if .Values.rollout.enabled -}}
{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: {{ include "holdfast.fullname" . }}}
{{- else -}}
{apiVersion: apps/v1, kind: Deployment, name: {{ include "holdfast.fullname" . }}}
{{- end -}}
{{- end }}

{{- /* Whether publishers get in from outside the pod. */}}
{{- define "holdfast.control" -}}
{{- if and .Values.controlService.enabled (or .Values.controlService.allowUnauthenticated (and .Values.existingSecret .Values.secretKeys.controlKeys)) }}true{{ end }}
{{- end }}

{{- /* Seconds, rounded up, of a duration as holdfast.yaml has it: a number of seconds, or one with its unit. */}}
{{- define "holdfast.seconds" -}}
{{- $text := toString . }}
{{- $number := regexFind "^[0-9.]+" $text | float64 }}
{{- if hasSuffix "ms" $text }}{{ divf $number 1000.0 | ceil | int64 }}
{{- else if hasSuffix "m" $text }}{{ mulf $number 60.0 | ceil | int64 }}
{{- else if hasSuffix "h" $text }}{{ mulf $number 3600.0 | ceil | int64 }}
{{- else }}{{ $number | ceil | int64 }}{{ end }}
{{- end }}

{{- /* Without shutdown_delay a pause stands in for it. */}}
{{- define "holdfast.pause" -}}
{{- if or .Values.lifecycle .Values.config.shutdown_delay }}0{{ else }}5{{ end }}
{{- end }}

{{- define "holdfast.grace" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}
{{- $total := add (include "holdfast.pause" . | int64) 15 }}
{{- range $key, $default := dict "shutdown_delay" "0" "shutdown_window" "0" "shutdown_requests" "30" }}
{{- $value := index $.Values.config $key }}
{{- $total = add $total (include "holdfast.seconds" (ternary $default $value (kindIs "invalid" $value)) | int64) }}
{{- end }}
{{- $total }}
{{- else }}{{ int64 .Values.terminationGracePeriodSeconds }}{{ end }}
{{- end }}

{{- define "holdfast.redis" -}}
{{- if .Values.valkey.enabled }}redis://{{ include "holdfast.fullname" . }}-valkey:6379{{ else }}{{ .Values.redis.url }}{{ end }}
{{- end }}

{{- define "holdfast.check" -}}
{{- $ways := list }}
{{- if .Values.valkey.enabled }}{{ $ways = append $ways "valkey.enabled" }}{{ end }}
{{- if .Values.redis.url }}{{ $ways = append $ways "redis.url" }}{{ end }}
{{- if .Values.redis.existingSecret }}{{ $ways = append $ways "redis.existingSecret" }}{{ end }}
{{- if and .Values.existingSecret .Values.secretKeys.redisUrl }}{{ $ways = append $ways "secretKeys.redisUrl" }}{{ end }}
{{- if gt (len $ways) 1 }}{{ fail (printf "%s: only one of them can say where Redis is" (join ", " $ways)) }}{{ end }}
{{- if and (not $ways) (or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled .Values.keda.enabled) }}{{ fail "several nodes need Redis, without which items reach only the clients of one: set valkey.enabled, redis.url, redis.existingSecret or secretKeys.redisUrl" }}{{ end }}
{{- if regexMatch "//[^/]*@" .Values.redis.url }}{{ fail "redis.url has credentials: put it into a Secret and name that in redis.existingSecret" }}{{ end }}
{{- if and .Values.autoscaling.enabled .Values.keda.enabled }}{{ fail "autoscaling.enabled and keda.enabled: two autoscalers would work against each other" }}{{ end }}
{{- if and .Values.keda.enabled (not .Values.keda.serverAddress) }}{{ fail "keda.serverAddress: the URL of Prometheus is missing" }}{{ end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}{{ fail "ingress.hosts is empty" }}{{ end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}{{ fail "httpRoute.parentRefs: the Gateway is missing" }}{{ end }}
{{- range list "sig_key" "resume_key" "control_key" "upstream_key" "zmq_curve_secret_key" "redis_url" }}
{{- if hasKey $.Values.config . }}{{ fail (printf "config.%s would be readable in a ConfigMap: use existingSecret or redis" .) }}{{ end }}
{{- end }}
{{- range list "http_port" "https_ports" "admin_port" "prometheus_port" "port_offset" "push_in_http_port" "push_in_http_addr" "push_in_http_allow_public" "tls_certs_dir" "routes" "routesfile" }}
{{- if hasKey $.Values.config . }}{{ fail (printf "config.%s is set by the chart" .) }}{{ end }}
{{- end }}
{{- end }}
