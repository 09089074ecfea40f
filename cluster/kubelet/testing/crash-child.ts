/** A "cluster process" for crash tests: starts pods whose processes hide from their group, says so, and waits to be killed. */
import { startSandboxLab } from "./sandbox-lab.ts";

const kind = process.argv[2] === "bare" ? "bare" : "namespaces";
const lab = await startSandboxLab(kind, process.argv[3]);
const marker = process.argv[4] ?? "";
for (let i = 0; i < 3; i++) {
  const pod = await lab.pod();
  await pod.start(
    ["sh", "-c", "setsid sh -c 'trap : TERM HUP; while :; do sleep 1; done' & setsid sleep 1000 & sleep 1000"],
    { env: { PATH: process.env["PATH"] ?? "", CRASH_MARKER: marker } },
  );
}
process.stdout.write(`started ${lab.clusterId}\n`);
