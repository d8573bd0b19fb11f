{{/* Every name is fixed, as the Lease is: a cluster has one operator. */}}
{{- define "operator.name" -}}
openclaw-tenant-operator
{{- end }}

{{/* What the pods are selected by. It can never be changed. */}}
{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "operator.selector" . }}
app.kubernetes.io/part-of: openclaw
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "operator.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/*
The objects of a file below files/, which is a copy of one that is used without the chart too: with the chart's labels, in this
release's namespace, with the groups of the values and with the annotations that are given.
*/}}
{{- define "operator.objects" -}}
{{- $root := .root -}}
{{- $account := printf "system:serviceaccount:%s:%s" $root.Release.Namespace (include "operator.name" $root) -}}
{{- $writers := $root.Values.policies.writers | default list -}}
{{- $list := ternary (printf "['%s']" (join "', '" $writers)) "[]" (not (empty $writers)) -}}
{{- $text := $root.Files.Get .file
    | replace "system:serviceaccount:openclaw-system:openclaw-tenant-operator" $account
    | replace "namespace: openclaw-system" (printf "namespace: %s" $root.Release.Namespace)
    | replace "'openclaw-system'" (printf "'%s'" $root.Release.Namespace)
    | replace "openclaw:break-glass" $root.Values.policies.breakGlassGroup
    | replace "openclaw:sign-up" $root.Values.policies.signUpGroup
    | replace "request.userInfo.username in []" (printf "request.userInfo.username in %s" $list) -}}
{{- range $document := regexSplit "(?m)^---$" $text -1 }}
{{- $object := fromYaml $document }}
{{- if $object.Error }}{{ fail (printf "%s: %s" $.file $object.Error) }}{{ end }}
{{- if $object }}
{{- $labels := merge (fromYaml (include "operator.labels" $root)) ($object.metadata.labels | default dict) }}
{{- $annotations := merge (deepCopy ($.annotations | default dict)) ($object.metadata.annotations | default dict) }}
{{- $_ := set $object.metadata "labels" $labels }}
{{- if $annotations }}{{ $_ := set $object.metadata "annotations" $annotations }}{{ end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* Stays when the chart is uninstalled, and when the switch that made it is turned off. */}}
{{- define "operator.kept" -}}
helm.sh/resource-policy: keep
{{- end }}

{{/* The seconds of a duration such as 90s, 10m or 24h; values.schema.json lets no other through. */}}
{{- define "operator.seconds" -}}
{{- $units := dict "s" 1 "m" 60 "h" 3600 -}}
{{- mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[smh]$" .)) -}}
{{- end }}
