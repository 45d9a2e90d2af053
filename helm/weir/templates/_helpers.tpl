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

{{/* How many Pods there are at least. */}}
{{- define "weir.replicas" -}}
{{- ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled -}}
{{- end -}}

{{/* The grace period covers the drain, and a little for the process to end. */}}
{{- define "weir.gracePeriod" -}}
{{- add .Values.drain.delaySeconds .Values.drain.deadlineSeconds 5 -}}
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

{{/* One flag, of a name such as limits-headerBytes. YAML reads a bare `off` as false. */}}
{{- define "weir.flag" -}}
{{- $flag := regexReplaceAll "[A-Z]" .name "-${0}" | lower -}}
{{- $value := .value -}}
{{- if kindIs "slice" $value -}}
{{- $value = join "," $value -}}
{{- else if kindIs "float64" $value -}}
{{- $value = int64 $value -}}
{{- else if and (kindIs "bool" $value) (ne $flag "log-color") -}}
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
{{- if and .enabled .existingClaim (or $.Values.autoscaling.enabled (gt (int $.Values.replicas) 1)) -}}
{{- fail "lastGood.existingClaim is one volume, and a Pod alone may use it: set replicas to 1, or leave it out" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- $keys := dict -}}
{{- range $path, $text := .Values.configuration.files -}}
{{- $key := include "weir.key" $path -}}
{{- if hasKey $keys $key -}}
{{- fail (printf "configuration.files: %s and %s would have the same key %s in the ConfigMap: rename one of them" (get $keys $key) $path $key) -}}
{{- end -}}
{{- $_ := set $keys $key $path -}}
{{- end -}}
{{- end -}}
