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

{{- /* Seconds from the order to end until the last request is over, at most: the pause, then what the node takes. */}}
{{- define "holdfast.drain" -}}
{{- $total := include "holdfast.pause" . | int64 }}
{{- range $key, $default := dict "shutdown_delay" "0" "shutdown_window" "0" "shutdown_requests" "30" }}
{{- $value := index $.Values.config $key }}
{{- $total = add $total (include "holdfast.seconds" (ternary $default $value (kindIs "invalid" $value)) | int64) }}
{{- end }}
{{- $total }}
{{- end }}

{{- define "holdfast.grace" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds }}{{ add (include "holdfast.drain" . | int64) 15 }}
{{- else }}{{ int64 .Values.terminationGracePeriodSeconds }}{{ end }}
{{- end }}

{{- /* A step of the canary: whether the new pods are well. */}}
{{- define "holdfast.analysis" -}}
{{- with .Values.rollout.analysisTemplate }}
- analysis:
    templates: [{ templateName: {{ . }} }]
    args:
      - { name: hash, valueFrom: { podTemplateHashValue: Latest } }
      - { name: namespace, value: {{ $.Release.Namespace }} }
{{- end }}
{{- end }}

{{- /* There is no library of uWebSockets.js for arm64. */}}
{{- define "holdfast.nodeSelector" -}}
{{- $selector := deepCopy .Values.nodeSelector }}
{{- if eq (toString .Values.config.edge) "uws" }}{{ $selector = merge $selector (dict "kubernetes.io/arch" "amd64") }}{{ end }}
{{- if $selector }}{{ toYaml $selector }}{{ end }}
{{- end }}

{{- define "holdfast.redis" -}}
{{- if .Values.valkey.enabled }}redis://{{ include "holdfast.fullname" . }}-valkey:6379{{ else }}{{ .Values.redis.url }}{{ end }}
{{- end }}
