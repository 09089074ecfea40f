import { describe, expect, test } from "vitest";
import { lineOfFault, lineOfObject } from "./template-lines.ts";

const TEMPLATE = `{{- if .Values.enabled }}
# A comment.
apiVersion: v1
kind: ConfigMap
metadata:
  name: first
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: "second"
{{- range .Values.items }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ . }}-v1
{{- end }}
{{- end }}
`;

describe("the line of an object", () => {
  const line = (kind: string, name: string): number | undefined => lineOfObject(TEMPLATE, { kind, metadata: { name } });

  test("is found by kind and name, quoted or not", () => {
    expect(line("ConfigMap", "first")).toBe(3);
    expect(line("ConfigMap", "second")).toBe(8);
  });

  test("is found where the name is made by the template", () => expect(line("Deployment", "cars-v1")).toBe(14));

  test("is not guessed", () => {
    expect(line("ConfigMap", "third")).toBeUndefined();
    expect(line("Service", "first")).toBeUndefined();
    expect(
      lineOfObject(`${TEMPLATE}---\n${TEMPLATE}`, { kind: "ConfigMap", metadata: { name: "first" } }),
    ).toBeUndefined();
  });
});

describe("the line of a fault", () => {
  const rendered = (body: string): string =>
    `---\n# Source: c/templates/a.yaml\na: b\n---\n# Source: c/templates/b.yaml\n${body}\n---\n# Source: c/templates/c.yaml\nc: d\n`;

  test("is the template's, whatever stands before it", () => {
    const template = "{{- if true }}\na: b\n---\nmetadata:\n  labels: [\n{{- end }}\n";
    expect(lineOfFault(rendered("a: b\n---\nmetadata:\n  labels: ["), "c/templates/b.yaml", template)).toBe(5);
  });

  test("is not guessed", () => {
    const template = "{{ .Values.a }}: [\n";
    expect(lineOfFault(rendered("a: ["), "c/templates/b.yaml", template)).toBeUndefined();
    expect(lineOfFault(rendered("a: ["), "c/templates/none.yaml", template)).toBeUndefined();
    expect(lineOfFault(rendered("a: b"), "c/templates/b.yaml", template)).toBeUndefined();
  });
});
