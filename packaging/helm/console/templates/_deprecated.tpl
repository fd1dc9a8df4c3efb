{{/* Values of upstream's chart that have no meaning here. Each says what to do instead. */}}
{{- define "console.checkValues" -}}
{{- $values := .Values -}}
{{- $gone := dict
  "useLb" "set console.service.type=LoadBalancer"
  "services.loadbalanced" "set console.service.type=LoadBalancer"
  "dockerRegistrySecret" "create the pull secret yourself and name it in imagePullSecrets"
  "kube.registry.hostname" "set global.imageRegistry or images.*.repository"
  "kube.registry.username" "create the pull secret yourself and name it in imagePullSecrets"
  "kube.registry.password" "create the pull secret yourself and name it in imagePullSecrets"
  "kube.organization" "set images.*.repository"
  "kube.external_ip" "set console.service.externalIPs"
  "kube.external_ips" "set console.service.externalIPs and console.service.servicePort"
  "kube.storage_class.persistent" "set storageClass"
  "kube.auth" "nothing: no role is needed"
  "console.externalIP" "set console.service.externalIPs"
  "console.ssoWhiteList" "set console.ssoAllowList"
  "console.pspEnabled" "nothing: pods meet the restricted pod security standard; PodSecurityPolicy is gone since Kubernetes 1.25"
  "console.statefulSetAnnotations" "set console.deploymentAnnotations"
  "console.statefulSetExtraLabels" "set console.deploymentExtraLabels"
  "console.artifactHubEnabled" "set console.artifactHubDisabled"
  "console.jobAnnotations" "nothing: there is no job"
  "console.jobExtraLabels" "nothing: there is no job"
  "console.kubeDashboardImage" "nothing: the dashboard is not installed by this console"
  "console.reportsVolumeSize" "nothing: there are no analyzers"
  "console.service.ingress.tls.crt" "put it into a Secret and name it in console.service.ingress.secretName"
  "console.service.ingress.tls.key" "put it into a Secret and name it in console.service.ingress.secretName"
  "configInit.nodeSelector" "nothing: there is no job"
  "autoCleanup" "delete the Secrets that are kept by hand: see the notes"
  "mariadb.rootPassword" "nothing: the console's database user owns its database"
  "mariadb.mariadbPassword" "set mariadb.userPassword"
  "mariadb.mariadbUser" "set mariadb.user"
  "mariadb.mariadbDatabase" "set mariadb.database"
  "mariadb.mariadbRootPassword" "nothing: the console's database user owns its database"
  "images.proxy" "set images.console"
  "images.mariadb" "set images.postgresql"
  "images.configInit" "nothing: there is no job"
  "uaa.host" "set uaa.endpoint"
  "uaa.protocol" "set uaa.endpoint"
  "uaa.port" "set uaa.endpoint" -}}
{{- range $path, $advice := $gone -}}
{{- $value := $values -}}
{{- range splitList "." $path -}}
{{- if kindIs "map" $value -}}{{- $value = index $value . -}}{{- else -}}{{- $value = "" -}}{{- end -}}
{{- end -}}
{{- if $value -}}{{- fail (printf "\n\nThe value %s of upstream's chart is not used any more: %s." $path $advice) -}}{{- end -}}
{{- end -}}
{{- if and (lookup "apps/v1" "Deployment" .Release.Namespace "stratos-db") (not .Values.dropMariadbOfUpstream) -}}
{{- fail "\n\nThe MariaDB of upstream's chart is still here, and this upgrade would delete it with its volume. Move its data first: libstratos/doc/deploy-kubernetes.md. Then set dropMariadbOfUpstream=true." -}}
{{- end -}}
{{- if kindIs "string" .Values.images.console -}}
{{- fail "\n\nThe value images.console is a map now: set images.console.repository." -}}
{{- end -}}
{{- if ne .Values.mariadb.type "pgsql" -}}
{{- fail "\n\nmariadb.type must be pgsql: MySQL is not supported. libstratos/doc/coming-from-stratos-4.md says how to move the data." -}}
{{- end -}}
{{- if .Values.mariadb.external -}}
{{- if not .Values.mariadb.host -}}{{- fail "\n\nmariadb.external needs mariadb.host." -}}{{- end -}}
{{- if not (or .Values.mariadb.userPassword .Values.mariadb.existingSecret) -}}
{{- fail "\n\nmariadb.external needs mariadb.userPassword or mariadb.existingSecret." -}}
{{- end -}}
{{- end -}}
{{- if and (hasPrefix "verify" .Values.mariadb.tls) (not .Values.mariadb.caConfigMap) -}}
{{- fail "\n\nmariadb.tls=verify-ca and verify-full need mariadb.caConfigMap." -}}
{{- end -}}
{{- if and .Values.console.gateway.enabled (not .Values.console.gateway.parentRefs) -}}
{{- fail "\n\nconsole.gateway.enabled needs console.gateway.parentRefs." -}}
{{- end -}}
{{- end -}}
