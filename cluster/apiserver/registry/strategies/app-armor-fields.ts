/** AppArmor profiles that a new pod names in annotations, as of old, become fields of its containers. */
import type { KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { array, read, record, text } from "../printers/printer.ts";

type Fields = Readonly<Record<string, unknown>>;

const PREFIX = "container.apparmor.security.beta.kubernetes.io/";
const LOCAL = "localhost/";

/** The field that an annotation stands for; undefined where it says nothing sound. */
function profileOf(annotation: string): Fields | undefined {
  if (annotation === "unconfined") return { type: "Unconfined" };
  if (annotation === "runtime/default") return { type: "RuntimeDefault" };
  const name = annotation.startsWith(LOCAL) ? annotation.slice(LOCAL.length) : "";
  return name === "" || name.trim() !== name ? undefined : { type: "Localhost", localhostProfile: name };
}

/** The pod with the fields; it is warned of annotations that were needed for them. */
export function withAppArmorFields(pod: KubeObject, warn: (text: string) => void): KubeObject {
  const annotations = pod.metadata.annotations ?? {};
  if (!Object.keys(annotations).some((key) => key.startsWith(PREFIX))) return pod;
  if (read(pod, "spec", "os", "name") === "windows") return pod;
  const spec = record(pod["spec"]);
  const ofPod = read(pod, "spec", "securityContext", "appArmorProfile");
  const change = (container: unknown): unknown => {
    const key = PREFIX + text(read(container, "name"));
    const annotation = annotations[key];
    const context = record(read(container, "securityContext"));
    if (annotation === undefined || context["appArmorProfile"] !== undefined) return container;
    const profile = profileOf(annotation);
    const needed = profile !== undefined && !equalJson(profile, ofPod ?? null);
    if (profile === undefined || needed)
      warn(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`);
    return needed ? { ...record(container), securityContext: { ...context, appArmorProfile: profile } } : container;
  };
  const next: Record<string, unknown> = { ...spec };
  for (const key of ["initContainers", "containers", "ephemeralContainers"])
    if (spec[key] !== undefined) next[key] = array(spec[key]).map(change);
  return { ...pod, spec: next };
}
