{{- /* Values that a schema takes and that cannot work: each is refused with what to do. */}}
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
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) }}{{ fail "autoscaling.maxReplicas is less than autoscaling.minReplicas" }}{{ end }}
{{- if and .Values.keda.enabled (lt (int .Values.keda.maxReplicaCount) (int .Values.keda.minReplicaCount)) }}{{ fail "keda.maxReplicaCount is less than keda.minReplicaCount" }}{{ end }}
{{- if and .Values.keda.enabled (not .Values.keda.serverAddress) }}{{ fail "keda.serverAddress: the URL of Prometheus is missing" }}{{ end }}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) }}{{ fail "ingress.hosts is empty" }}{{ end }}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) }}{{ fail "httpRoute.parentRefs: the Gateway is missing" }}{{ end }}
{{- if and (eq (toString .Values.config.edge) "uws") (eq (toString (index .Values.nodeSelector "kubernetes.io/arch")) "arm64") }}{{ fail "config.edge: there is no library for uws on arm64, which nodeSelector asks for" }}{{ end }}
{{- $ends := add (include "holdfast.drain" . | int64) 6 }}
{{- if lt (include "holdfast.grace" . | int64) $ends }}{{ fail (printf "terminationGracePeriodSeconds: %s are too short, the end takes up to %d: shutdown_delay (or the pause in its place), shutdown_window, shutdown_requests and 6 more" (include "holdfast.grace" .) $ends) }}{{ end }}
{{- $secrets := list "sig_key" "resume_key" "control_key" "upstream_key" "events_key" "xmpp_secret" "zmq_curve_secret_key" "redis_url" }}
{{- range $secrets }}
{{- if hasKey $.Values.config . }}{{ fail (printf "config.%s would be readable in a ConfigMap: use existingSecret or redis" .) }}{{ end }}
{{- end }}
{{- $set := list "http_port" "https_ports" "admin_port" "prometheus_port" "port_offset" "push_in_http_port" "push_in_http_addr" "push_in_http_allow_public" "tls_certs_dir" "routes" "routesfile" }}
{{- range $set }}
{{- if hasKey $.Values.config . }}{{ fail (printf "config.%s is set by the chart" .) }}{{ end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if hasPrefix "HOLDFAST_" .name }}
{{- $option := .name | trimPrefix "HOLDFAST_" | lower }}
{{- if has $option (concat $set (list "config" "stop_timeout")) }}{{ fail (printf "extraEnv: %s is set by the chart" .name) }}{{ end }}
{{- if has $option (list "edge" "shutdown_delay" "shutdown_window" "shutdown_requests") }}{{ fail (printf "extraEnv: %s: the chart computes with this option: set config.%s" .name $option) }}{{ end }}
{{- if and (has $option $secrets) .value }}{{ fail (printf "extraEnv: %s would be readable in the pod: use existingSecret, redis or valueFrom" .name) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
