/** What both sandboxes have a shell do to start a command. Everything that varies is an argument, never text of the script. */

const CHANGE_DIRECTORY = `cd "$1" 2>/dev/null || { printf 'chdir to cwd ("%s"): no such file or directory\\n' "$1" >&3; exit 128; }`;

/**
 * Says on descriptor 3 that the command can be started, or why not. `env` takes what is no name for a shell; until
 * then it is in the environment, for a process's arguments are everyone's to read.
 */
const SAY_AND_START = `TRAVELOPS_COUNT=$2
shift 2
if [ "$TRAVELOPS_COUNT" = 0 ]; then
  command -v "$1" >/dev/null || { printf 'exec: "%s": executable file not found in $PATH\\n' "$1" >&3; exit 127; }
  { echo ok >&3; } 2>/dev/null
  exec 3>&-
  exec "$@"
fi
while [ "$TRAVELOPS_COUNT" -gt 0 ]; do
  eval "set -- \\"\\$TRAVELOPS_ENV_$TRAVELOPS_COUNT\\" \\"\\$@\\"; unset TRAVELOPS_ENV_$TRAVELOPS_COUNT"
  TRAVELOPS_COUNT=$((TRAVELOPS_COUNT - 1))
done
{ echo ok >&3; } 2>/dev/null
exec 3>&-
exec env "$@"`;

/** A container's own command: `WORKING_DIR COUNT COMMAND …`, in the environment of `shellEnvironment`. */
export const START_SCRIPT = `
${CHANGE_DIRECTORY}
${SAY_AND_START}`;

/** The same inside a container's own user namespace. */
export const ENTER_SCRIPT = `
unset TRAVELOPS_ENTER
${CHANGE_DIRECTORY}
unset OLDPWD PWD
${SAY_AND_START}`;

/** Before a container of many users becomes its own: a terminal is given to that one. `UID:GID COMMAND …`. */
export const AS_ROOT_SCRIPT = `
PATH=$TRAVELOPS_PATH
unset TRAVELOPS_PATH TRAVELOPS_AS_ROOT
[ ! -t 0 ] || chown "$1" /proc/self/fd/0 2>/dev/null
shift
exec "$@"`;

/** A command beside a container's own: `WORKING_DIR COMMAND …`. */
export const EXEC_SCRIPT = `
cd "$1" 2>/dev/null || cd /
shift
command -v "$1" >/dev/null || { printf 'exec: "%s": executable file not found in $PATH\\n' "$1" >&2; exit 127; }
exec "$@"`;

/**
 * Where a container has one user, root cannot give files away, and tar as root (`kubectl cp`) would fail over the ids that
 * stand in an archive: it is told not to try.
 */
export const forOneUser = (
  argv: readonly string[],
  env: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> =>
  argv[0] === "tar" ? { ...env, TAR_OPTIONS: `--no-same-owner ${env["TAR_OPTIONS"] ?? ""}`.trim() } : env;

/** The environment for a shell, which would drop names that Kubernetes allows: those go as TRAVELOPS_ENV_1 to COUNT. */
export function shellEnvironment(all: Readonly<Record<string, string>>): {
  env: Record<string, string>;
  count: string;
} {
  const env: Record<string, string> = {};
  let count = 0;
  for (const [name, value] of Object.entries(all)) {
    if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) env[name] = value;
    else env[`TRAVELOPS_ENV_${++count}`] = `${name}=${value}`;
  }
  return { env, count: String(count) };
}
