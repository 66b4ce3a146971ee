{{- /* What selects the pods: it cannot change while the DaemonSet exists. */ -}}
{{- define "snatrace.selector" -}}
app.kubernetes.io/name: snatrace
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "snatrace.labels" -}}
{{ include "snatrace.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The release's name; `snatrace` once if that is part of it. */ -}}
{{- define "snatrace.name" -}}
{{- if contains "snatrace" .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-snatrace" (.Release.Name | trunc 44 | trimSuffix "-") }}{{ end }}
{{- end }}
