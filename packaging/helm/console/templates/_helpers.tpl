{{- define "console.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}

{{- define "console.selector" -}}
app.kubernetes.io/name: stratos
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "console.labels" -}}
{{ include "console.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* (dict "image" .Values.images.x "root" $ "tag" default) */}}
{{- define "console.image" -}}
{{- $registry := .root.Values.global.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry -}}
{{- $name = printf "%s/%s" (trimSuffix "/" $registry) (regexReplaceAll "^[^/]*[.:][^/]*/" $name "") -}}
{{- end -}}
{{- if .image.digest -}}{{ printf "%s@%s" $name .image.digest }}{{- else -}}{{ printf "%s:%s" $name (.image.tag | default .tag) }}{{- end -}}
{{- end -}}

{{- define "console.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "console.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "console.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* The restricted pod security standard. */}}
{{- define "console.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Whether an object is there and does not belong to this release: upstream's Job made such ones. */}}
{{- define "console.isForeign" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- if $found -}}
{{- $owner := index ($found.metadata.annotations | default dict) "meta.helm.sh/release-name" | default "" -}}
{{- if ne $owner .root.Release.Name -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* A key of a stored Secret, decoded; empty when there is none. */}}
{{- define "console.stored" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .name -}}
{{- if $found -}}{{- index ($found.data | default dict) .key | default "" | b64dec -}}{{- end -}}
{{- end -}}

{{- define "console.keySecret" -}}{{ include "console.name" . }}-key{{- end -}}
{{- define "console.secret" -}}{{ include "console.name" . }}-secret{{- end -}}
{{- define "console.dbSecret" -}}{{ include "console.name" . }}-db-secret{{- end -}}
{{- define "console.certSecret" -}}
{{ .Values.console.tlsSecretName | default (printf "%s-cert" (include "console.name" .)) }}
{{- end -}}
{{- define "console.dbHost" -}}
{{- if .Values.mariadb.external -}}{{ .Values.mariadb.host }}{{- else -}}{{ include "console.name" . }}-db{{- end -}}
{{- end -}}

{{/* The UAA's address; empty with a local administrator and for the wizard. */}}
{{- define "console.uaa" -}}
{{- $env := .Values.env -}}
{{- if .Values.console.localAdminPassword -}}
{{- else if .Values.uaa.endpoint -}}{{ .Values.uaa.endpoint }}
{{- else if or $env.UAA_HOST $env.DOMAIN -}}
{{- $zone := ternary (printf "%s." $env.UAA_ZONE) "" (ne ($env.UAA_ZONE | default "") "") -}}
{{- printf "https://%s%s:%v" $zone ($env.UAA_HOST | default (printf "uaa.%s" $env.DOMAIN)) $env.UAA_PORT -}}
{{- end -}}
{{- end -}}
