/** Run as an ordinary user: one pod from start to end, and its limits. Arguments: directory, kind of sandbox. */
import { join } from "node:path";
import { startSandboxLab } from "./sandbox-lab.ts";

const kind = process.argv[3] === "bare" ? "bare" : "namespaces";
const lab = await startSandboxLab(kind, join(process.argv[2] ?? "", "data"));
const pod = await lab.pod({ limits: { pids: 40 } });
const { code, text } = await pod.shell("id -u; exit 4");
process.stdout.write(`uid ${text.trim()}, exit ${code}\n`);
const hungry = await pod.start(["sh", "-c", "exec tail /dev/zero"], { limits: { memoryBytes: 64 << 20 } });
const exit = await hungry.exited;
process.stdout.write(`memory ${lab.sandbox.limits.memory}: exit ${exit.exitCode}, ${exit.exceeded}\n`);
const many = "i=0; while [ $i -lt 300 ]; do sleep 5 & i=$((i+1)); done; echo none was refused";
const forks = await pod.shell(many);
process.stdout.write(
  `processes ${lab.sandbox.limits.pids}: ${/none was refused/.test(forks.text) ? "no limit" : "held"}\n`,
);
const joined = await pod.start(["sleep", "60"]);
let said = "";
const collect = (chunk: Uint8Array): void => void (said += Buffer.from(chunk).toString());
await joined.exec({
  argv: ["sh", "-c", many],
  env: { PATH: process.env["PATH"] ?? "" },
  stdout: collect,
  stderr: collect,
});
process.stdout.write(`exec: ${/none was refused/.test(said) ? "no limit" : "held"}\n`);
await pod.pod.remove();
await lab.close();
