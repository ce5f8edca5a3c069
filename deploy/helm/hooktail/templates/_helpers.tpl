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
app.kubernetes.io/instance: {{ .Release.Name | quote }}
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

{{/* Fails if a variable that other values set is in env or secrets: the pod's limits and probes follow those values, and hooktail ends if a variable is given twice. */}}
{{- define "hooktail.checkEnv" -}}
{{- $values := dict "HOOKTAIL_DATABASE_URL" "database" "HOOKTAIL_MEMORY" "memory" "HOOKTAIL_GRACE" "grace" -}}
{{- if .Values.scale.enabled -}}
{{- $values = merge $values (dict "HOOKTAIL_ROLE" "scale" "HOOKTAIL_NATS_URL" "scale.nats.url" "HOOKTAIL_NATS_REPLICAS" "scale.nats.replicas" "HOOKTAIL_NATS_SYNC" "scale.nats.sync") -}}
{{- end -}}
{{- range $name, $_ := .Values.env -}}
{{- with get $values $name -}}
{{- fail (printf "env has %s: set the value %s instead" $name .) -}}
{{- end -}}
{{- if eq $name "HOOKTAIL_HTTP_ADDR" -}}
{{- fail "env has HOOKTAIL_HTTP_ADDR: the pod's address is always :8484" -}}
{{- end -}}
{{- end -}}
{{- if not .Values.scale.nats.url -}}
{{- $values = omit $values "HOOKTAIL_NATS_URL" -}}
{{- end -}}
{{- range $name, $_ := .Values.secrets -}}
{{- with get $values $name -}}
{{- fail (printf "secrets has %s: set the value %s instead" $name .) -}}
{{- end -}}
{{- if eq $name "HOOKTAIL_HTTP_ADDR" -}}
{{- fail "secrets has HOOKTAIL_HTTP_ADDR: the pod's address is always :8484" -}}
{{- end -}}
{{- if hasKey $.Values.env $name -}}
{{- fail (printf "env and secrets both have %s: keep one of them" $name) -}}
{{- end -}}
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
