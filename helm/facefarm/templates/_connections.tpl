{{/* How pods reach the store and Redis: addresses, keys, identities, authorities. */}}

{{- define "facefarm.endpoint" -}}
{{- if .Values.minio.enabled -}}
http://{{ include "facefarm.fullname" . }}-minio:9000
{{- else if .Values.storage.existingSecretEndpoint -}}
{{- else -}}
{{- required "storage.endpoint: name the S3 endpoint, or set minio.enabled" .Values.storage.endpoint -}}
{{- end -}}
{{- end -}}

{{/* A variable out of the store's Secret, where a key of it is named, else with a value. Takes (list . variable key value). */}}
{{- define "facefarm.storagePlace" -}}
- name: {{ index . 1 }}
{{- if index . 2 }}
  valueFrom:
    secretKeyRef:
      name: {{ required "storage.existingSecret: names the Secret that url, endpoint or region are read from" (index . 0).Values.storage.existingSecret }}
      key: {{ index . 2 }}
{{- else }}
  value: {{ index . 3 | quote }}
{{- end }}
{{- end -}}

{{- define "facefarm.bucketEnv" -}}
{{- $storage := .Values.storage -}}
{{ include "facefarm.storagePlace" (list . "FARM_STORAGE_URL" $storage.existingSecretUrl $storage.url) }}
{{ include "facefarm.storagePlace" (list . "FARM_S3_ENDPOINT" $storage.existingSecretEndpoint (include "facefarm.endpoint" .)) }}
{{ include "facefarm.storagePlace" (list . "FARM_S3_REGION" $storage.existingSecretRegion $storage.region) }}
{{- if include "facefarm.s3Ca" . }}
- name: FARM_S3_CA_FILE
  value: /etc/facefarm-s3/ca.crt
{{- end }}
{{- end -}}

{{- define "facefarm.sessionTokenEnv" -}}
- name: FARM_S3_SESSION_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ index . 0 }}
      key: {{ index . 1 }}
{{- end -}}

{{/* Who comes by the token of its pod. On EKS all of it is put into the pod by the annotation of its account. Takes (list . role). */}}
{{- define "facefarm.webIdentityEnv" -}}
{{- $identity := (index . 0).Values.storage.webIdentity -}}
{{- if $identity.audience }}
- name: AWS_WEB_IDENTITY_TOKEN_FILE
  value: /var/run/secrets/facefarm/token
{{- end }}
{{- with index . 1 }}
- name: AWS_ROLE_ARN
  value: {{ . | quote }}
{{- end }}
{{- with $identity.service }}
- name: AWS_ENDPOINT_URL_STS
  value: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "facefarm.workerStorageEnv" -}}
{{- if include "facefarm.workerHasUser" . -}}
{{ include "facefarm.bucketEnv" . }}
{{ include "facefarm.workerUserEnv" (list . "FARM_S3_ACCESS_KEY" "FARM_S3_SECRET_KEY") }}
{{- with .Values.storage.worker }}
{{- if and .existingSecret .existingSecretSessionToken }}
{{ include "facefarm.sessionTokenEnv" (list .existingSecret .existingSecretSessionToken) }}
{{- end }}
{{- end }}
{{- else if .Values.storage.webIdentity.enabled -}}
{{ include "facefarm.bucketEnv" . }}
{{- include "facefarm.webIdentityEnv" (list . .Values.storage.webIdentity.workerRoleArn) }}
{{- else -}}
{{ include "facefarm.storageEnv" . }}
{{- end -}}
{{- end -}}

{{- define "facefarm.storageEnv" -}}
{{ include "facefarm.bucketEnv" . }}
{{- if .Values.storage.webIdentity.enabled }}
{{- include "facefarm.webIdentityEnv" (list . .Values.storage.webIdentity.roleArn) }}
{{- else }}
- name: FARM_S3_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "facefarm.storageSecret" . }}
      key: {{ include "facefarm.accessKeyKey" . }}
- name: FARM_S3_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ include "facefarm.storageSecret" . }}
      key: {{ include "facefarm.secretKeyKey" . }}
{{- with .Values.storage }}
{{- if and .existingSecret .existingSecretSessionToken }}
{{ include "facefarm.sessionTokenEnv" (list .existingSecret .existingSecretSessionToken) }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the certificates of the store's authority come from, as a volume's source; empty: no authority of one's own. */}}
{{- define "facefarm.s3Ca" -}}
{{- with .Values.storage.ca -}}
{{- if and .configMap .secret -}}
{{- fail "storage.ca: name a ConfigMap or a Secret, not both" -}}
{{- else if .configMap -}}
configMap:
  name: {{ .configMap }}
  items: [{key: {{ .key }}, path: ca.crt}]
{{- else if .secret -}}
secret:
  secretName: {{ .secret }}
  defaultMode: 0440
  items: [{key: {{ .key }}, path: ca.crt}]
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Files by which a pod trusts Redis and the store, and is trusted there. Take (list . usesStore). */}}
{{- define "facefarm.trustMounts" -}}
{{- $values := (index . 0).Values -}}
{{- if $values.redis.tlsSecret }}
- {name: redis-tls, mountPath: /etc/facefarm-redis, readOnly: true}
{{- end }}
{{- if index . 1 }}
{{- if include "facefarm.s3Ca" (index . 0) }}
- {name: s3-ca, mountPath: /etc/facefarm-s3, readOnly: true}
{{- end }}
{{- if and $values.storage.webIdentity.enabled $values.storage.webIdentity.audience }}
- {name: identity, mountPath: /var/run/secrets/facefarm, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{- define "facefarm.trustVolumes" -}}
{{- $values := (index . 0).Values -}}
{{- with $values.redis.tlsSecret }}
- name: redis-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if index . 1 }}
{{- with include "facefarm.s3Ca" (index . 0) }}
- name: s3-ca
  {{- . | nindent 2 }}
{{- end }}
{{- if and $values.storage.webIdentity.enabled $values.storage.webIdentity.audience }}
- name: identity
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: {path: token, audience: {{ $values.storage.webIdentity.audience | quote }}, expirationSeconds: 3600}
{{- end }}
{{- end }}
{{- end -}}

{{/* Port of a URL: as written, else that of the scheme. */}}
{{- define "facefarm.urlPort" -}}
{{- $url := urlParse . -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" -}}
{{- default (ternary "80" "443" (eq $url.scheme "http")) $port -}}
{{- end -}}

{{- define "facefarm.endpointPort" -}}
{{- with include "facefarm.endpoint" . -}}
{{- include "facefarm.urlPort" . -}}
{{- else -}}
{{- .Values.storage.externalPort -}}
{{- end -}}
{{- end -}}
