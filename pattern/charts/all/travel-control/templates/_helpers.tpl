{{/* The image of a service of the demo. */}}
{{- define "travel.image" -}}
{{ .root.Values.image.registry }}/{{ .root.Values.image.repository }}{{ .name }}:{{ .root.Values.image.tag }}
{{- end }}

{{/* What the mesh reads from a pod: where traces go, and which request headers become their tags. */}}
{{- define "travel.meshAnnotations" -}}
readiness.status.sidecar.istio.io/applicationPorts: ""
proxy.istio.io/config: |
  tracing:
    zipkin:
      address: {{ .Values.tracing.address }}
    sampling: {{ .Values.tracing.sampling }}
    custom_tags:
      {{- range $header := list "portal" "device" "user" "travel" }}
      http.header.{{ $header }}:
        header:
          name: {{ $header }}
      {{- end }}
{{- end }}

{{- define "travel.securityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  capabilities:
    drop:
      - ALL
  privileged: false
  readOnlyRootFilesystem: true
{{- end }}

{{- define "travel.resources" -}}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end }}
