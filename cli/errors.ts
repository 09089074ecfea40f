/** Every way the command fails: one sentence, what to do next, and an exit code that scripts can rely on. */

export const EXIT = {
  ok: 0,
  general: 1,
  usage: 2,
  notRunning: 3,
  notFound: 4,
  conflict: 5,
  timeout: 6,
  unhealthy: 7,
  permission: 8,
  interrupted: 130,
} as const;

export class CliError extends Error {
  readonly code: string;
  readonly exit: number;
  readonly advice: string | undefined;
  constructor(code: string, exit: number, message: string, advice?: string) {
    super(message);
    this.name = "CliError";
    this.code = code;
    this.exit = exit;
    this.advice = advice;
  }
}

export const gitMissing = (): CliError =>
  new CliError("GIT_MISSING", EXIT.notFound, "git is not on PATH", "install git, then run this again");

export const toolMissing = (tool: string): CliError =>
  new CliError(
    "TOOL_MISSING",
    EXIT.notFound,
    `${tool} is not on PATH, and the project carries it for linux on x64 only`,
    `install ${tool}, then run this again`,
  );

export const dataDirUnusable = (dir: string, why: string): CliError =>
  new CliError(
    "DATA_DIR_UNUSABLE",
    EXIT.permission,
    `the data directory ${dir} cannot be used: ${why}`,
    "choose another with --data-dir",
  );

export const settingsMissing = (name: string, file: string): CliError =>
  new CliError(
    "SETTINGS_MISSING",
    EXIT.conflict,
    `there is state of a cluster "${name}", but its ${file} is gone`,
    `put the file back, or remove the state with \`travelops cluster delete ${name}\``,
  );

export const noRoom = (file: string): CliError =>
  new CliError("NO_ROOM", EXIT.general, `no space is left on the disk of ${file}`, "make room on it, then try again");

export const alreadyRunning = (dir: string, pid: number): CliError =>
  new CliError(
    "ALREADY_RUNNING",
    EXIT.conflict,
    `travelops is already up in ${dir} (process ${pid})`,
    "see it with `travelops status`, stop it with `travelops down`",
  );

export const portTaken = (what: string, port: number, flag?: string): CliError =>
  new CliError(
    "PORT_TAKEN",
    EXIT.conflict,
    `port ${port} (${what}) is taken by another program`,
    flag === undefined ? "free it: it stays the cluster's own" : `free it, or choose another with ${flag}`,
  );

export const notRunning = (dir: string): CliError =>
  new CliError("NOT_RUNNING", EXIT.notRunning, `nothing is up in ${dir}`, "start it with `travelops up`");

export const clusterUnknown = (name: string, known: readonly string[]): CliError =>
  new CliError(
    "CLUSTER_UNKNOWN",
    EXIT.notFound,
    `there is no cluster "${name}" here; there ${known.length === 1 ? "is" : "are"}: ${known.join(", ") || "none"}`,
  );

export const badClusterName = (name: string): CliError =>
  new CliError(
    "BAD_CLUSTER_NAME",
    EXIT.usage,
    `"${name}" is no name for a cluster: write at most 39 lower-case letters, digits and "-", with a letter or digit at both ends`,
  );

export const clusterExists = (name: string): CliError =>
  new CliError(
    "CLUSTER_EXISTS",
    EXIT.conflict,
    `there is a cluster "${name}" already, and it runs`,
    "see it with `travelops cluster list`, or choose another name",
  );

export const hubStays = (): CliError =>
  new CliError(
    "HUB_STAYS",
    EXIT.conflict,
    "the hub cannot be deleted: the pattern and the other clusters hang on it",
    "to remove everything: `travelops down --purge`",
  );

export const urlUnknown = (name: string, known: readonly string[]): CliError =>
  new CliError(
    "URL_UNKNOWN",
    EXIT.notFound,
    `no Route, Ingress or Gateway named "${name}" is served`,
    `served are: ${known.join(", ") || "none"}`,
  );

export const clusterFailed = (message: string, log: string): CliError =>
  new CliError("CLUSTER_FAILED", EXIT.general, message, `its log: ${log}`);

export const timedOut = (what: string, seconds: number, state: string): CliError =>
  new CliError(
    "TIMED_OUT",
    EXIT.timeout,
    `${what} took longer than ${seconds} s: ${state}`,
    "everything is left running; look with `travelops status`, or wait longer with --timeout",
  );

export const patternUnusable = (pattern: string, why: string): CliError =>
  new CliError("PATTERN_UNUSABLE", EXIT.usage, `the pattern ${pattern} cannot be used: ${why}`);

export const interrupted = (): CliError => new CliError("INTERRUPTED", EXIT.interrupted, "interrupted");

export const stoppedElsewhere = (): CliError =>
  new CliError("STOPPED", EXIT.interrupted, "stopped by another travelops command before it was up");
