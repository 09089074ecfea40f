/** Run as an ordinary user: one pod from start to end. */
import { join } from "node:path";
import { startSandboxLab } from "./sandbox-lab.ts";

const lab = await startSandboxLab("namespaces", join(process.argv[2] ?? "", "data"));
const pod = await lab.pod();
const { code, text } = await pod.shell("id -u; exit 4");
process.stdout.write(`uid ${text.trim()}, exit ${code}\n`);
await pod.pod.remove();
await lab.close();
