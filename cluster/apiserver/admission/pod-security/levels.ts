/** Levels and versions of pod security, as the labels of a namespace state them. */
import { fieldInvalid, type FieldError } from "@travelops/kube";

export type Level = "privileged" | "baseline" | "restricted";

/** A level as it was at a minor version of Kubernetes 1; `latest` moves with the server. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number | "latest";
}

export interface PodSecurityPolicy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export const PREFIX = "pod-security.kubernetes.io/";

const LEVELS: readonly Level[] = ["privileged", "baseline", "restricted"];
const isLevel = (text: string): text is Level => (LEVELS as readonly string[]).includes(text);

const OPEN: LevelVersion = { level: "privileged", minor: "latest" };
const NOTHING: PodSecurityPolicy = { enforce: OPEN, audit: OPEN, warn: OPEN };

type Labels = Readonly<Record<string, string>> | undefined;

/** Below 0: `a` allows more than `b`. */
export const compareLevels = (a: Level, b: Level): number => LEVELS.indexOf(a) - LEVELS.indexOf(b);
export const showLevel = ({ level, minor }: LevelVersion): string =>
  `${level}:${minor === "latest" ? minor : `v1.${minor}`}`;
export const sameLevel = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.minor === b.minor;

/** Whether labels say anything of pod security; most do not. */
export function mentionsPodSecurity(labels: Labels): boolean {
  for (const label in labels) if (label.startsWith(PREFIX)) return true;
  return false;
}

/** What the labels ask for. Of what cannot be read, enforcing is strict and the others do nothing. */
export function policyOf(labels: Labels): { readonly policy: PodSecurityPolicy; readonly errors: FieldError[] } {
  const errors: FieldError[] = [];
  if (labels === undefined) return { policy: NOTHING, errors };
  const refuse = (label: string, value: string, why: string): void =>
    void errors.push(fieldInvalid(`metadata.labels[${label}]`, value, why));
  const levelOf = (mode: string, otherwise: Level): Level => {
    const value = labels[PREFIX + mode];
    if (value === undefined) return "privileged";
    if (isLevel(value)) return value;
    refuse(PREFIX + mode, value, `must be one of ${LEVELS.join(", ")}`);
    return otherwise;
  };
  const versionOf = (mode: string): number | "latest" => {
    const label = `${PREFIX}${mode}-version`;
    const value = labels[label];
    if (value === undefined || value === "latest") return "latest";
    const minor = /^v1\.(\d|[1-9]\d*)$/.exec(value)?.[1];
    if (minor !== undefined) return Number(minor);
    refuse(label, value, 'must be "latest" or "v1.x"');
    return "latest";
  };
  const enforce: LevelVersion = { level: levelOf("enforce", "restricted"), minor: versionOf("enforce") };
  const audit: LevelVersion = { level: levelOf("audit", "privileged"), minor: versionOf("audit") };
  const warn: LevelVersion = { level: levelOf("warn", "privileged"), minor: versionOf("warn") };
  // Who states only what is enforced is warned of the same where pods are made from templates.
  const follows = labels[`${PREFIX}warn`] === undefined && isLevel(labels[`${PREFIX}enforce`] ?? "");
  return {
    errors,
    policy: {
      enforce,
      audit,
      warn:
        follows && compareLevels(enforce.level, warn.level) > 0
          ? {
              level: enforce.level,
              minor: labels[`${PREFIX}warn-version`] === undefined ? enforce.minor : warn.minor,
            }
          : warn,
    },
  };
}
