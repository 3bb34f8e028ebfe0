{{/* 40 characters leave room for the longest suffix within the 52 that a StatefulSet's pods allow. */}}
{{- define "facefarm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "facefarm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Takes (list . "component"). */}}
{{- define "facefarm.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "facefarm.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Of pods: no versions, or every release of the chart would start Redis and MinIO anew. */}}
{{- define "facefarm.podLabels" -}}
{{ include "facefarm.selector" . }}
app.kubernetes.io/part-of: facefarm
{{- end -}}

{{- define "facefarm.labels" -}}
{{- $root := index . 0 -}}
{{ include "facefarm.selector" . }}
app.kubernetes.io/part-of: facefarm
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{- define "facefarm.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "facefarm.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "facefarm.workerAccount" -}}
{{- $worker := .Values.serviceAccount.worker -}}
{{- if $worker.create -}}
{{- default (printf "%s-worker" (include "facefarm.fullname" .)) $worker.name -}}
{{- else -}}
{{- default (include "facefarm.serviceAccount" .) $worker.name -}}
{{- end -}}
{{- end -}}

{{/* Of pods that have no business with the store: where an account stands for rights to it, theirs is none such. */}}
{{- define "facefarm.plainAccount" -}}
{{- if .Values.storage.webIdentity.enabled -}}default{{- else -}}{{ include "facefarm.serviceAccount" . }}{{- end -}}
{{- end -}}

{{/* Takes (list . "control") or (list . "worker"). */}}
{{- define "facefarm.image" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{- $name := printf "%s:%s" (get $image (index . 1)) (default $root.Chart.AppVersion $image.tag) -}}
{{- if $image.registry -}}{{ trimSuffix "/" $image.registry }}/{{ end -}}{{ $name }}
{{- with get $image (printf "%sDigest" (index . 1)) }}@{{ . }}{{ end -}}
{{- end -}}

{{/* Takes (list . uid). */}}
{{- define "facefarm.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ index . 1 }}
runAsGroup: {{ index . 1 }}
fsGroup: {{ index . 1 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "facefarm.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/* What all pods of the release share. Takes (list . uid account). */}}
{{- define "facefarm.podCommon" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ index . 2 }}
{{/* Nothing here talks to the Kubernetes API. */ -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "facefarm.podSecurity" . | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Takes one component's values. */}}
{{- define "facefarm.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "facefarm.redisSecret" -}}
{{- default (printf "%s-redis" (include "facefarm.fullname" .)) .Values.redis.existingSecret -}}
{{- end -}}

{{- define "facefarm.storageSecret" -}}
{{- default (printf "%s-s3" (include "facefarm.fullname" .)) .Values.storage.existingSecret -}}
{{- end -}}

{{- define "facefarm.flowerSecret" -}}
{{- default (printf "%s-flower" (include "facefarm.fullname" .)) .Values.flower.existingSecret -}}
{{- end -}}

{{- define "facefarm.keysSecret" -}}
{{- default (printf "%s-api-keys" (include "facefarm.fullname" .)) .Values.api.keys.existingSecret -}}
{{- end -}}

{{/* The Secret with the key that `helm test` shows; empty: none is known. */}}
{{- define "facefarm.testSecret" -}}
{{- if .Values.test.existingSecret -}}
{{- .Values.test.existingSecret -}}
{{- else if not .Values.api.keys.existingSecret -}}
{{- include "facefarm.keysSecret" . -}}
{{- end -}}
{{- end -}}

{{/* The names of the keys: the user's own in an existing Secret, the chart's in its own. */}}
{{- define "facefarm.redisPasswordKey" -}}
{{- ternary .Values.redis.existingSecretPasswordKey "password" (not (empty .Values.redis.existingSecret)) -}}
{{- end -}}
{{- define "facefarm.accessKeyKey" -}}
{{- ternary .Values.storage.existingSecretAccessKey "access-key" (not (empty .Values.storage.existingSecret)) -}}
{{- end -}}
{{- define "facefarm.secretKeyKey" -}}
{{- ternary .Values.storage.existingSecretSecretKey "secret-key" (not (empty .Values.storage.existingSecret)) -}}
{{- end -}}

{{/* Whether workers have a user of their own; empty: no. */}}
{{- define "facefarm.workerHasUser" -}}
{{- with .Values.storage.worker -}}
{{- if $.Values.storage.webIdentity.enabled -}}
{{- else if or $.Values.minio.enabled .existingSecret .accessKey -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* The two entries of an environment that name the S3 user of the workers. Takes (list . access-variable secret-variable). */}}
{{- define "facefarm.workerUserEnv" -}}
{{- $root := index . 0 -}}
{{- $worker := $root.Values.storage.worker -}}
{{- $secret := default (printf "%s-s3-worker" (include "facefarm.fullname" $root)) $worker.existingSecret -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ ternary $worker.existingSecretAccessKey "access-key" (not (empty $worker.existingSecret)) }}
- name: {{ index . 2 }}
  valueFrom:
    secretKeyRef:
      name: {{ $secret }}
      key: {{ ternary $worker.existingSecretSecretKey "secret-key" (not (empty $worker.existingSecret)) }}
{{- end -}}

{{/* A random value that survives upgrades: what the Secret in the cluster holds, else the prefix and `length` random
     letters and digits; in base64. Takes (list . secret key prefix length). */}}
{{- define "facefarm.generated" -}}
{{- $root := index . 0 -}}
{{- $old := lookup "v1" "Secret" $root.Release.Namespace (index . 1) | default dict -}}
{{- with get (get $old "data" | default dict) (index . 2) -}}
{{- . -}}
{{- else -}}
{{- printf "%s%s" (index . 3) (randAlphaNum (index . 4 | int)) | b64enc -}}
{{- end -}}
{{- end -}}

{{- define "facefarm.redisEnv" -}}
{{- if .Values.redis.enabled -}}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "facefarm.redisSecret" . }}
      key: {{ include "facefarm.redisPasswordKey" . }}
- name: FARM_REDIS_URL
  value: redis://:$(REDIS_PASSWORD)@{{ include "facefarm.fullname" . }}-redis:6379/0
{{- else -}}
- name: FARM_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "facefarm.redisSecret" . }}
      key: {{ ternary .Values.redis.existingSecretUrlKey "url" (not (empty .Values.redis.existingSecret)) }}
{{- end -}}
{{- end -}}

{{- define "facefarm.jobsEnv" -}}
- name: FARM_LOG_FORMAT
  value: {{ .Values.logFormat | quote }}
- name: FARM_LEASE_SECONDS
  value: {{ .Values.jobs.leaseSeconds | quote }}
- name: FARM_HISTORY_DAYS
  value: {{ .Values.jobs.historyDays | quote }}
{{- end -}}

{{/* GiB of a Kubernetes quantity. */}}
{{- define "facefarm.gib" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9.]+([eE][+-]?[0-9]+)?" $text -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := trimPrefix $number $text -}}
{{- if or (not $number) (not (hasKey $units $unit)) -}}
{{- fail (printf "worker: '%s' is no size that the chart can read; write it as in 16Gi" $text) -}}
{{- end -}}
{{- divf (mulf $number (get $units $unit)) 1073741824 -}}
{{- end -}}

{{/* GiB that one Blender process may take: below its share of the pod's memory. Empty for a pod without a limit. */}}
{{- define "facefarm.blenderMemory" -}}
{{- $worker := .Values.worker -}}
{{- $limit := get ($worker.resources.limits | default dict) "memory" -}}
{{- if not $limit -}}
{{- $worker.blenderMemoryGib | default "" -}}
{{- else -}}
{{- $share := divf (subf (include "facefarm.gib" $limit) (include "facefarm.gib" $worker.shmSizeLimit)) $worker.concurrency -}}
{{- $each := $worker.blenderMemoryGib | default (round (mulf $share 0.75) 2) -}}
{{- if ge (float64 $each) $share -}}
{{- fail (printf "worker.blenderMemoryGib: %d Blender processes of %v GiB and shmSizeLimit do not fit into worker.resources.limits.memory, %v" (int $worker.concurrency) $each $limit) -}}
{{- end -}}
{{- if lt (float64 $each) 1.0 -}}
{{- fail (printf "worker.resources.limits.memory: %v leaves each of %d Blender processes %v GiB, and it needs 1; raise the limit or lower worker.concurrency" $limit (int $worker.concurrency) $each) -}}
{{- end -}}
{{- $each -}}
{{- end -}}
{{- end -}}
