/** What a pod asks for and this sandbox cannot make real; said once on the pod. */
import type { Container, Pod } from "@travelops/kube/api/types/index.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { DEFAULT_TERMINATION_PATH, terminationPath } from "./termination-message.ts";

export function podLimitations(pod: Pod, sandbox: Pick<Sandbox, "kind" | "limits" | "users">): string[] {
  const { spec } = pod;
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const said: string[] = [];
  const names = (holds: (container: Container) => boolean): string =>
    containers
      .filter(holds)
      .map((one) => one.name)
      .join(", ");
  const add = (who: string, what: string): void => void (who === "" ? undefined : said.push(`${what} (${who})`));
  if (spec.hostPID === true) said.push("hostPID: the pod does not see the machine's processes");
  if (spec.hostIPC === true) said.push("hostIPC: the pod has its own");
  for (const { name } of spec.securityContext?.sysctls ?? []) said.push(`sysctl ${name} is not set`);
  add(
    names((one) => one.securityContext?.privileged === true),
    "privileged gives no rights on the machine",
  );
  add(
    names((one) => (one.securityContext?.capabilities?.add?.length ?? 0) > 0),
    "added capabilities hold inside the container alone",
  );
  const groups = [...(spec.securityContext?.supplementalGroups ?? []), ...fsGroupOf(pod)];
  if (groups.length > 0 && sandbox.users.kind !== "range")
    said.push(
      `groups ${groups.join(", ")} are not joined: a container has one user and one group, who own all volumes of the pod, where the cluster does not run as root`,
    );
  if (sandbox.limits.cpu === "none")
    add(
      names((one) => one.resources?.limits?.["cpu"] !== undefined),
      "limits of CPU are accounted, not enforced, without control groups",
    );
  if (sandbox.limits.memory === "watch")
    add(
      names((one) => one.resources?.limits?.["memory"] !== undefined),
      "limits of memory are watched without control groups: a container above its own is killed a moment later",
    );
  if (sandbox.kind === "bare") {
    add(
      names((one) => (one.securityContext?.capabilities?.drop?.length ?? 0) > 0),
      "capabilities are not dropped in the bare sandbox",
    );
    const inMemory = (spec.volumes ?? []).filter((volume) => volume.emptyDir?.medium === "Memory");
    add(inMemory.map(({ name }) => name).join(", "), "memory volumes are on disk in the bare sandbox, of any size");

    add(
      names(
        (one) => one.securityContext?.runAsUser !== undefined || one.securityContext?.readOnlyRootFilesystem === true,
      ),
      "users and read-only roots are not enforced in the bare sandbox",
    );
    add(
      names((one) => one.volumeMounts !== undefined && one.volumeMounts.length > 0),
      "volumes are not at their mount paths in the bare sandbox but below $TRAVELOPS_MOUNTS",
    );
    for (const container of containers) {
      const path = terminationPath(container);
      if (path !== undefined && path !== DEFAULT_TERMINATION_PATH)
        add(container.name, `the termination message is read from $TRAVELOPS_MOUNTS${path} in the bare sandbox`);
    }
    if (spec.shareProcessNamespace === true)
      said.push("shareProcessNamespace: all processes of the machine are visible in the bare sandbox");
  }
  return said;
}

const fsGroupOf = ({ spec }: Pod): number[] =>
  spec.securityContext?.fsGroup === undefined ? [] : [spec.securityContext.fsGroup];
