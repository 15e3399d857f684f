{{- /* What all Applications begin with; takes .name, .wave and .root. */}}
{{- define "apps.head" -}}
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  annotations:
    # Lower ones are healthy before higher ones begin.
    argocd.argoproj.io/sync-wave: {{ .wave | quote }}
  # Deleting this Application deletes what it has brought.
  finalizers: [resources-finalizer.argocd.argoproj.io]
{{- end }}

{{- /* Where it goes; takes .namespace and .root. */}}
{{- define "apps.destination" -}}
project: {{ .root.Values.project }}
destination:
  server: {{ .root.Values.server }}
  namespace: {{ .namespace }}
{{- end }}

{{- define "apps.sync" -}}
automated: { prune: true, selfHeal: true }
retry: { limit: 5, backoff: { duration: 10s, factor: 2, maxDuration: 3m } }
{{- end }}
