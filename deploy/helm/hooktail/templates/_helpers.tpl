{{- define "hooktail.name" -}}
{{- $name := .Chart.Name -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "hooktail.selector" -}}
app.kubernetes.io/name: hooktail
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hooktail.labels" -}}
{{ include "hooktail.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "hooktail.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* The Deployments, as a list in YAML: one, or with scale.enabled one for each role. */}}
{{- define "hooktail.roles" -}}
{{- $common := dict "selector" (include "hooktail.selector" .) "labels" (include "hooktail.labels" .) -}}
{{- if .Values.scale.enabled -}}
{{- if and (not .Values.scale.nats.url) (not (hasKey .Values.secrets "HOOKTAIL_NATS_URL")) -}}
{{- fail "scale.enabled needs scale.nats.url, or HOOKTAIL_NATS_URL in secrets" -}}
{{- end -}}
{{- list (merge (dict "name" "reader" "replicas" .Values.replicas) $common) (merge (dict "name" "sender" "replicas" .Values.scale.senders) $common) | toYaml -}}
{{- else -}}
{{- list (merge (dict "name" "" "replicas" .Values.replicas) $common) | toYaml -}}
{{- end -}}
{{- end -}}

{{- define "hooktail.selectorOf" -}}
{{ .selector }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "hooktail.labelsOf" -}}
{{ .labels }}
{{- with .name }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}
