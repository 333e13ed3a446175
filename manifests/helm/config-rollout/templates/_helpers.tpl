{{- define "config-rollout.labels" -}}
app.kubernetes.io/name: config-rollout
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "config-rollout.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The namespace that rights are limited to, if they are. */}}
{{- define "config-rollout.scope" -}}
{{- with . -}}
namespace: {{ . | quote }}
{{- end }}
{{- end }}
