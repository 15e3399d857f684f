{{- /* The pod of a node, for Deployment and Rollout alike. */}}
{{- define "holdfast.pod" -}}
metadata:
  annotations:
    # Not of the routes: they are read again without a restart, which would cut every client.
    checksum/config: {{ include "holdfast.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "holdfast.selector" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  enableServiceLinks: false
  serviceAccountName: {{ include "holdfast.serviceAccount" . }}
  automountServiceAccountToken: {{ .Values.serviceAccount.automount }}
  terminationGracePeriodSeconds: {{ include "holdfast.grace" . }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with include "holdfast.nodeSelector" . }}
  nodeSelector:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{ toYaml . | nindent 6 | trim }}
      {{- if not .labelSelector }}
      labelSelector:
        matchLabels:
          {{- include "holdfast.selector" $ | nindent 10 }}
      {{- end }}
    {{- end }}
  {{- end }}
  containers:
    - name: holdfast
      image: {{ include "holdfast.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [--config, /etc/holdfast/config/holdfast.yaml]
      ports:
        - { name: http, containerPort: 7999 }
        {{- if .Values.tls.existingSecret }}
        - { name: https, containerPort: 8443 }
        {{- end }}
        - { name: control, containerPort: 5561 }
        - { name: admin, containerPort: 5580 }
      env:
        # From SIGTERM on: what the pause takes is over by then.
        - { name: HOLDFAST_STOP_TIMEOUT, value: {{ sub (include "holdfast.grace" . | int64) (include "holdfast.pause" . | int64) | quote }} }
        {{- if and .Values.existingSecret .Values.secretKeys.sigKey }}
        - { name: HOLDFAST_SIG_KEY_FILE, value: /etc/holdfast/secrets/sig-key }
        {{- end }}
        {{- if and .Values.existingSecret .Values.secretKeys.resumeKey }}
        - { name: HOLDFAST_RESUME_KEY_FILE, value: /etc/holdfast/secrets/resume-key }
        {{- end }}
        {{- if and .Values.existingSecret .Values.secretKeys.controlKeys }}
        - { name: HOLDFAST_CONTROL_KEYS_FILE, value: /etc/holdfast/secrets/control-keys }
        {{- end }}
        {{- if and .Values.existingSecret .Values.secretKeys.eventsKey }}
        - { name: HOLDFAST_EVENTS_KEY_FILE, value: /etc/holdfast/secrets/events-key }
        {{- end }}
        {{- if and .Values.existingSecret .Values.secretKeys.xmppSecret }}
        - { name: HOLDFAST_XMPP_SECRET_FILE, value: /etc/holdfast/secrets/xmpp-secret }
        {{- end }}
        {{- if and .Values.existingSecret .Values.secretKeys.redisUrl }}
        - { name: HOLDFAST_REDIS_URL_FILE, value: /etc/holdfast/secrets/redis-url }
        {{- else if .Values.redis.existingSecret }}
        - { name: HOLDFAST_REDIS_URL_FILE, value: /etc/holdfast/redis/redis-url }
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      livenessProbe:
        httpGet: { path: /livez, port: admin }
        {{- toYaml .Values.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: { path: /readyz, port: admin }
        {{- toYaml .Values.readinessProbe | nindent 8 }}
      startupProbe:
        httpGet: { path: /livez, port: admin }
        {{- toYaml .Values.startupProbe | nindent 8 }}
      {{- if .Values.lifecycle }}
      lifecycle:
        {{- toYaml .Values.lifecycle | nindent 8 }}
      {{- else if ne (include "holdfast.pause" .) "0" }}
      lifecycle: { preStop: { exec: { command: [sleep, {{ include "holdfast.pause" . | quote }}] } } }
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      {{- with .Values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      # Whole directories: a file that is mounted by subPath never changes.
      volumeMounts:
        - { name: config, mountPath: /etc/holdfast/config, readOnly: true }
        - { name: routes, mountPath: /etc/holdfast/routes, readOnly: true }
        {{- if .Values.existingSecret }}
        - { name: secrets, mountPath: /etc/holdfast/secrets, readOnly: true }
        {{- end }}
        {{- if .Values.redis.existingSecret }}
        - { name: redis, mountPath: /etc/holdfast/redis, readOnly: true }
        {{- end }}
        {{- if .Values.tls.existingSecret }}
        - { name: tls, mountPath: /etc/holdfast/tls, readOnly: true }
        {{- end }}
  volumes:
    - { name: config, configMap: { name: {{ include "holdfast.fullname" . }} } }
    - { name: routes, configMap: { name: {{ include "holdfast.fullname" . }}-routes } }
    {{- if .Values.existingSecret }}
    - name: secrets
      secret:
        secretName: {{ .Values.existingSecret }}
        defaultMode: 288 # 0440; YAML 1.2 reads that as 440
        items:
          {{- range $key, $path := dict "sigKey" "sig-key" "resumeKey" "resume-key" "redisUrl" "redis-url" "controlKeys" "control-keys" "eventsKey" "events-key" "xmppSecret" "xmpp-secret" }}
          {{- with index $.Values.secretKeys $key }}
          - { key: {{ . | quote }}, path: {{ $path }} }
          {{- end }}
          {{- end }}
    {{- end }}
    {{- if .Values.redis.existingSecret }}
    - name: redis
      secret:
        secretName: {{ .Values.redis.existingSecret }}
        defaultMode: 288 # 0440; YAML 1.2 reads that as 440
        items: [{ key: {{ .Values.redis.existingSecretKey | quote }}, path: redis-url }]
    {{- end }}
    {{- if .Values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ .Values.tls.existingSecret }}
        defaultMode: 288 # 0440; YAML 1.2 reads that as 440
        items: [{ key: tls.crt, path: default_8443.crt }, { key: tls.key, path: default_8443.key }]
    {{- end }}
{{- end }}

{{- define "holdfast.config" -}}
{{- $set := dict "http_port" "7999" "admin_port" "5580" "push_in_http_port" 5561 "routesfile" "/etc/holdfast/routes/routes" }}
{{- if include "holdfast.control" . }}{{ $_ := set $set "push_in_http_addr" "0.0.0.0" }}{{ end }}
{{- if .Values.controlService.allowUnauthenticated }}{{ $_ := set $set "push_in_http_allow_public" true }}{{ end }}
{{- with include "holdfast.redis" . }}{{ $_ := set $set "redis_url" . }}{{ end }}
{{- if .Values.tls.existingSecret }}{{ $_ := set $set "https_ports" "8443" }}{{ $_ := set $set "tls_certs_dir" "/etc/holdfast/tls" }}{{ end }}
{{- toYaml (merge $set .Values.config) }}
{{- end }}
