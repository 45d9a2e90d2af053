{{/* What the templates share: names, labels, and what follows from several values. */}}

{{- define "weir.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "weir.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Never changed: a Deployment cannot change its selector. */}}
{{- define "weir.selector" -}}
app.kubernetes.io/name: {{ include "weir.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.labels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "weir.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Names of Secrets, which many charts write as {name: registry}. */}}
{{- define "weir.pullSecrets" -}}
{{- $names := list -}}
{{- range .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "map" . | ternary . (dict "name" .)) -}}
{{- end -}}
{{- if $names -}}
{{- toYaml $names -}}
{{- end -}}
{{- end -}}

{{- define "weir.serviceAccount" -}}
{{- $own := ternary (include "weir.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $own .Values.serviceAccount.name -}}
{{- end -}}

{{- define "weir.configMap" -}}
{{- default (printf "%s-configuration" (include "weir.fullname" . | trunc 49 | trimSuffix "-")) .Values.configuration.existingConfigMap -}}
{{- end -}}

{{/* The key of a file in the ConfigMap: keys have no slashes. */}}
{{- define "weir.key" -}}
{{- replace "/" "__" . -}}
{{- end -}}

{{/* How many Pods there are at least; who scales from outside says it to nobody, and means several. */}}
{{- define "weir.replicas" -}}
{{- if .Values.autoscaling.enabled -}}
{{- .Values.autoscaling.minReplicas -}}
{{- else if .Values.keda.enabled -}}
{{- .Values.keda.minReplicas -}}
{{- else -}}
{{- .Values.replicas | default 2 -}}
{{- end -}}
{{- end -}}

{{/* How many there may be: nothing if nobody knows. */}}
{{- define "weir.replicasMax" -}}
{{- if .Values.autoscaling.enabled -}}
{{- .Values.autoscaling.maxReplicas -}}
{{- else if .Values.keda.enabled -}}
{{- .Values.keda.maxReplicas -}}
{{- else -}}
{{- .Values.replicas | default "" -}}
{{- end -}}
{{- end -}}

{{/* What ends the Pod: the drain, a little for the process, and for a sidecar that ends after it. */}}
{{- define "weir.graceNeeded" -}}
{{- add .Values.drain.delaySeconds .Values.drain.deadlineSeconds 5 (ternary 5 0 .Values.dapr.enabled) -}}
{{- end -}}

{{- define "weir.gracePeriod" -}}
{{- max (include "weir.graceNeeded" . | int) (default 0 .Values.drain.graceSeconds | int) -}}
{{- end -}}

{{/* The Redis that the settings name, in any of three ways. */}}
{{- define "weir.redis" -}}
{{- $redis := default dict .Values.settings.redis -}}
{{- coalesce (get $redis "url") (get $redis "cluster") (get $redis "sentinels") | default "" -}}
{{- end -}}

{{/* Whether Pods count limits together: a word, or nothing. */}}
{{- define "weir.sharesLimits" -}}
{{- if or .Values.development.redis.enabled (include "weir.redis" .) -}}
yes
{{- end -}}
{{- end -}}

{{/* A server for development: its name, and what finds its Pods. It wants `root` and `server`. */}}
{{- define "weir.server" -}}
{{- printf "%s-%s-dev" (include "weir.fullname" .root | trunc 53 | trimSuffix "-") .server -}}
{{- end -}}

{{- define "weir.serverSelector" -}}
app.kubernetes.io/name: {{ printf "%s-%s-dev" (include "weir.name" .root | trunc 53 | trimSuffix "-") .server }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{- define "weir.serverLabels" -}}
{{ include "weir.serverSelector" . }}
app.kubernetes.io/component: {{ .server }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What Dapr's injector reads. The sidecar stays until the gateway's drain is over. */}}
{{- define "weir.daprAnnotations" -}}
dapr.io/enabled: "true"
dapr.io/app-id: {{ .Values.dapr.appId | default (include "weir.fullname" .) | quote }}
{{- if .Values.dapr.callable }}
dapr.io/app-port: "8080"
{{- end }}
{{- with .Values.dapr.config }}
dapr.io/config: {{ . | quote }}
{{- end }}
dapr.io/log-level: {{ .Values.dapr.logLevel | quote }}
dapr.io/log-as-json: {{ .Values.dapr.logAsJson | quote }}
dapr.io/block-shutdown-duration: {{ printf "%ds" (add .Values.drain.delaySeconds .Values.drain.deadlineSeconds 5) | quote }}
dapr.io/graceful-shutdown-seconds: "5"
dapr.io/sidecar-seccomp-profile-type: "RuntimeDefault"
# There is no token of the service account in the Pod.
dapr.io/disable-builtin-k8s-secret-store: "true"
{{- end -}}

{{/* The control plane is another thing than the gateway: no selector of one finds the other. */}}
{{- define "weir.controlPlane" -}}
{{- printf "%s-control" (include "weir.fullname" . | trunc 55 | trimSuffix "-") -}}
{{- end -}}

{{- define "weir.controlPlaneSelector" -}}
app.kubernetes.io/name: {{ printf "%s-control" (include "weir.name" . | trunc 55 | trimSuffix "-") }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "weir.controlPlaneLabels" -}}
{{ include "weir.controlPlaneSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: control-plane
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What a control plane cannot do without. */}}
{{- define "weir.refuseControlPlane" -}}
{{- with .Values.controlPlane -}}
{{- if not .tls.existingSecret -}}
{{- fail "controlPlane.tls.existingSecret is not set: gateways are served over TLS only" -}}
{{- end -}}
{{- if not .keys.existingSecret -}}
{{- fail "controlPlane.keys.existingSecret is not set: it has the keys that `weir token` made" -}}
{{- end -}}
{{- if eq (empty .configuration.existingConfigMap) (empty .configuration.existingClaim) -}}
{{- fail "set one of controlPlane.configuration.existingConfigMap and controlPlane.configuration.existingClaim" -}}
{{- end -}}
{{- if and (gt (int .replicas) 1) (empty (get (default dict .settings.etcd) "endpoints")) -}}
{{- fail "controlPlane.replicas is more than one: they need an etcd to agree (controlPlane.settings.etcd.endpoints)" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Settings that have an `off`, which YAML reads as false where it stands bare. */}}
{{- define "weir.switchable" -}}
backends-tls-revocation forwarded-proto identity-metadata limits-request-body-bytes limits-retry-percent listen-client-certificates log-access telemetry-metrics-interval telemetry-traces-sampler
{{- end -}}

{{/* One flag, of a name such as limits-headerBytes. */}}
{{- define "weir.flag" -}}
{{- $flag := regexReplaceAll "[A-Z]" .name "-${0}" | lower -}}
{{- $value := .value -}}
{{- if kindIs "slice" $value -}}
{{- $value = join "," $value -}}
{{- else if kindIs "float64" $value -}}
{{- $value = int64 $value -}}
{{- else if and (kindIs "bool" $value) (not $value) (has $flag (include "weir.switchable" . | splitList " ")) -}}
{{- $value = "off" -}}
{{- end -}}
{{ printf "--%s=%v" $flag $value | quote }}
{{- end -}}

{{/* The settings of the process as flags, in the order of their names. */}}
{{- define "weir.settings" -}}
{{- include "weir.flags" (dict "above" "" "values" .Values.settings) }}
{{- end -}}

{{/* The same of a map whose own name, with a dash, is `above`. */}}
{{- define "weir.flags" -}}
{{- $above := .above }}
{{- range $name, $value := .values }}
{{- $name := printf "%s%s" $above $name }}
{{- if kindIs "map" $value }}
{{- include "weir.flags" (dict "above" (printf "%s-" $name) "values" $value) }}
{{- else }}
- {{ include "weir.flag" (dict "name" $name "value" $value) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Who may call the admin port: operators, and Prometheus if it is to. */}}
{{- define "weir.operators" -}}
{{- $scrape := .Values.monitoring.scrape -}}
{{- concat (default list .Values.networkPolicy.operators) (ternary (default list $scrape.from) list $scrape.enabled) | toYaml -}}
{{- end -}}

{{/* What monitoring is made of is no part of the gateway: no rule about its Pods looks at it. */}}
{{- define "weir.monitoringLabels" -}}
{{ include "weir.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: monitoring
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What the gateway is called in series, and the control plane beside it. */}}
{{- define "weir.monitored" -}}
{{- default (include "weir.fullname" .) .Values.monitoring.gateway -}}
{{- end -}}

{{- define "weir.monitoredPlane" -}}
{{- ternary (include "weir.controlPlane" .) (printf "%s-control" .Values.monitoring.gateway) (empty .Values.monitoring.gateway) -}}
{{- end -}}

{{/* A quantity of memory in bytes; 0 if there is none. */}}
{{- define "weir.bytes" -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $text := . | toString -}}
{{- if regexMatch "^[0-9]+(\\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$" $text -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get $units (regexFind "[kMGTi]+$" $text)) | int64 -}}
{{- else if kindIs "float64" . -}}
{{- int64 . -}}
{{- else if $text -}}
{{- fail (printf "resources.limits.memory is %s, which alerts cannot compare: write it like 512Mi or 2Gi, or set monitoring.rules.enabled to false" $text) -}}
{{- else -}}
0
{{- end -}}
{{- end -}}

{{/* Rules of Prometheus with values put in; their own {{ }} stay as they are. */}}
{{- define "weir.rules" -}}
{{- $rules := .root.Values.monitoring.rules -}}
{{- $memory := get (default dict .root.Values.resources.limits) "memory" | default "" -}}
{{- .root.Files.Get .file
      | replace "@gateway@" (printf "gateway=%q" (include "weir.monitored" .root))
      | replace "@plane@" (printf "gateway=%q" (include "weir.monitoredPlane" .root))
      | replace "@objective@" (toString $rules.objective)
      | replace "@slow@" (toString $rules.slowSeconds)
      | replace "@oldDays@" (toString $rules.oldAfterDays)
      | replace "@memory@" (include "weir.bytes" $memory) -}}
{{- end -}}

{{/* One thing says how many Pods there are, and it can know. */}}
{{- define "weir.refuseScaling" -}}
{{- $scaled := .Values.autoscaling -}}
{{- if and $scaled.enabled .Values.keda.enabled -}}
{{- fail "autoscaling.enabled and keda.enabled are both true: KEDA makes a HorizontalPodAutoscaler itself, and two would fight; keep one of them" -}}
{{- end -}}
{{- if and $scaled.enabled (gt (int $scaled.minReplicas) (int $scaled.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and $scaled.enabled (not (or $scaled.cpuUtilization $scaled.memoryUtilization)) -}}
{{- fail "autoscaling has nothing to look at: set autoscaling.cpuUtilization or autoscaling.memoryUtilization" -}}
{{- end -}}
{{- range $name, $it := dict "autoscaling" $scaled "keda" .Values.keda -}}
{{- range $resource, $measure := dict "cpu" $it.cpuUtilization "memory" $it.memoryUtilization -}}
{{- $requests := get (default dict $.Values.resources) "requests" | default dict -}}
{{- if and $it.enabled $measure (not (get $requests $resource)) -}}
{{- fail (printf "%s.%sUtilization is a part of resources.requests.%s, which is not set: set it, or let %s look at something else" $name $resource $resource $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.keda -}}
{{- if .enabled -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail "keda.minReplicas is more than keda.maxReplicas" -}}
{{- end -}}
{{- if not (or .cpuUtilization .memoryUtilization .requestsInFlight .triggers) -}}
{{- fail "keda has nothing to look at: set keda.requestsInFlight, or one of its other measures" -}}
{{- end -}}
{{- if and .requestsInFlight (not .prometheus.serverAddress) -}}
{{- fail "keda.prometheus.serverAddress is not set: requests in flight are read there; set keda.requestsInFlight to 0 to do without" -}}
{{- end -}}
{{- if and .requestsInFlight (eq (get (default dict $.Values.settings.metrics) "names" | default "semantic") "apim") -}}
{{- fail "keda.requestsInFlight needs http_server_active_requests: set settings.metrics.names to semantic or both" -}}
{{- end -}}
{{- if and (eq (int .minReplicas) 0) (not .triggers) -}}
{{- fail "keda.minReplicas is 0 and keda.triggers is empty: Pods that are not there count no requests, so nothing would start the first one; name a trigger that does (cron, a queue, what is in front of the gateway)" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.refuseDapr" -}}
{{- if .Values.dapr.enabled -}}
{{- range $name, $_ := .Values.podAnnotations -}}
{{- if has $name (include "weir.daprAnnotations" $ | fromYaml | keys) -}}
{{- fail (printf "podAnnotations has %s, which `dapr` writes: say it there" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.dapr.callable (not .Values.listen.http) -}}
{{- fail "dapr.callable needs listen.http: the sidecar calls the gateway in the clear, inside of the Pod" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "weir.refuseDevelopment" -}}
{{- range $name, $server := .Values.development -}}
{{- if and $server.enabled (not $server.image) -}}
{{- fail (printf "development.%s.image is not set: name one, with its version" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.development.redis.enabled (include "weir.redis" .) -}}
{{- fail "development.redis.enabled and settings.redis name a Redis each: keep one of them" -}}
{{- end -}}
{{- if and .Values.development.etcd.enabled (get (default dict .Values.settings.etcd) "endpoints") -}}
{{- fail "development.etcd.enabled and settings.etcd.endpoints name an etcd each: keep one of them" -}}
{{- end -}}
{{- end -}}

{{/* Values that are right one by one and wrong together. */}}
{{- define "weir.refuse" -}}
{{- with .Values.monitoring.scrape -}}
{{- if and .enabled $.Values.networkPolicy.enabled (not .from) (not $.Values.networkPolicy.operators) -}}
{{- fail "monitoring.scrape.from is empty: the NetworkPolicy would keep Prometheus out; name its Pods there, or in networkPolicy.operators" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.configuration.files .Values.configuration.existingConfigMap -}}
{{- fail "configuration.files and configuration.existingConfigMap are both set: keep one of them" -}}
{{- end -}}
{{- if and .Values.configuration.existingItems (not .Values.configuration.existingConfigMap) -}}
{{- fail "configuration.existingItems needs configuration.existingConfigMap" -}}
{{- end -}}
{{- if not (or .Values.listen.http .Values.tls.existingSecret) -}}
{{- fail "nothing listens: set listen.http to true, or tls.existingSecret to a Secret with a certificate" -}}
{{- end -}}
{{- with .Values.lastGood -}}
{{- $token := get (default dict $.Values.settings.control) "tokenFile" -}}
{{- if and .enabled (not .keySecret.name) (not $token) -}}
{{- fail "lastGood.keySecret.name is not set: copies are sealed with a key, or with the token in settings.control.tokenFile" -}}
{{- end -}}
{{- if and .enabled .existingClaim (ne (include "weir.replicasMax" $) "1") -}}
{{- fail "lastGood.existingClaim is one volume, and a Pod alone may use it: set replicas to 1, or leave it out" -}}
{{- end -}}
{{- end -}}
{{- include "weir.refuseScaling" . -}}
{{- $needed := include "weir.graceNeeded" . | int -}}
{{- with .Values.drain -}}
{{- if and .graceSeconds (lt (int .graceSeconds) $needed) -}}
{{- fail (printf "drain.graceSeconds is %d, which ends the Pod before its drain does: delaySeconds %d, deadlineSeconds %d and what ends after them need %d; leave it out" (int .graceSeconds) (int .delaySeconds) (int .deadlineSeconds) $needed) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is empty: name the hosts that the Ingress is for" -}}
{{- end -}}
{{- include "weir.refuseDapr" . -}}
{{- include "weir.refuseDevelopment" . -}}
{{- $keys := dict -}}
{{- range $path, $text := .Values.configuration.files -}}
{{- $key := include "weir.key" $path -}}
{{- if hasKey $keys $key -}}
{{- fail (printf "configuration.files: %s and %s would have the same key %s in the ConfigMap: rename one of them" (get $keys $key) $path $key) -}}
{{- end -}}
{{- $_ := set $keys $key $path -}}
{{- end -}}
{{- end -}}
