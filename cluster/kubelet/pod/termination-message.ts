/** The file by which a container says why it ended: where it is, and what is made of it. */
import { chmodSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Container } from "@travelops/kube/api/types/index.ts";
import type { Mount } from "../sandbox/sandbox.ts";
import { endOfFile } from "./file-end.ts";
import { tailLines } from "./log-tail.ts";

const MOST_BYTES = 4096;
const MOST_LOG_BYTES = 2048;
const MOST_LOG_LINES = 80;
/** Of all containers of a pod together. */
const MOST_POD_BYTES = 12 * 1024;

export const DEFAULT_TERMINATION_PATH = "/dev/termination-log";

export const terminationFile = (podDirectory: string, container: string, attempt: number): string =>
  join(podDirectory, "containers", container, String(attempt), "termination-log");

/** Where a container finds it; undefined where it wants none. */
export function terminationPath({ terminationMessagePath = DEFAULT_TERMINATION_PATH }: Container): string | undefined {
  return terminationMessagePath === "" ? undefined : posix.resolve("/", terminationMessagePath);
}

/** Makes the file of one start, which any user of the container may write. */
export function terminationMount(container: Container, file: string): Mount[] {
  const target = terminationPath(container);
  if (target === undefined) return [];
  writeFileSync(file, "");
  chmodSync(file, 0o666);
  return [{ source: file, target, type: "bind", readOnly: false, file: true }];
}

/** What a container has left behind, or the end of its log where its policy asks for that. */
export function terminationMessage(
  container: Container,
  exitCode: number,
  files: { readonly message: string; readonly log: string },
): string {
  const text = endOfFile(files.message, MOST_BYTES).toString("utf8");
  if (text !== "" || container.terminationMessagePolicy !== "FallbackToLogsOnError" || exitCode === 0) return text;
  return tailLines(files.log, MOST_LOG_LINES, MOST_LOG_BYTES);
}

/** A message as the pod's status shows it: each of its containers has the same share of what a pod may say. */
export function shownMessage(message: string, containers: number): string {
  const share = Math.floor(MOST_POD_BYTES / Math.max(1, containers));
  return Buffer.byteLength(message) <= share ? message : Buffer.from(message).toString("utf8", 0, share);
}
