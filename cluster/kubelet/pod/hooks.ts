/** postStart and preStop. */
import { sleep } from "@travelops/kube/api/clock.ts";
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { Container, LifecycleHandler } from "@travelops/kube/api/types/index.ts";
import type { SandboxContainer } from "../sandbox/sandbox.ts";
import { httpAction } from "./probe-spec.ts";

/** Go's default client has no time limit; ours ends with the pod's grace at the latest. */
const HTTP_TIMEOUT_MS = 30_000;

/** Resolves with what went wrong, or undefined. */
export async function runHook(
  handler: LifecycleHandler,
  target: { container: Container; handle: SandboxContainer; podIP: string; clock: Clock },
  limitMs?: number,
): Promise<string | undefined> {
  const { container, handle, podIP, clock } = target;
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const { code, output } = await handle.runCommand(command, limitMs);
    if (code === 0) return undefined;
    return code === undefined
      ? `the command ${JSON.stringify(command)} ran out of time`
      : `command '${command.join(" ")}' exited with ${code}: ${output.slice(0, 1024)}`;
  }
  if (handler.httpGet !== undefined) {
    const action = httpAction(handler.httpGet, container, podIP);
    if (action === undefined) return `couldn't find port ${handler.httpGet.port} of container ${container.name}`;
    const { ok, message } = await handle.attempt(action, Math.min(limitMs ?? HTTP_TIMEOUT_MS, HTTP_TIMEOUT_MS));
    return ok ? undefined : message;
  }
  if (handler.sleep !== undefined) {
    await Promise.race([
      sleep(clock, Math.min(handler.sleep.seconds * 1000, limitMs ?? Number.MAX_SAFE_INTEGER)),
      handle.exited,
    ]);
    return undefined;
  }
  return "the hook has neither exec nor httpGet nor sleep; other kinds are not supported";
}
