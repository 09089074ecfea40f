/** What both sandboxes have a shell do to start a command. Everything that varies is an argument, never text of the script. */

const CHANGE_DIRECTORY = `cd "$1" 2>/dev/null || { printf 'chdir to cwd ("%s"): no such file or directory\\n' "$1" >&3; exit 128; }`;

/** Says on descriptor 3 that the command can be started, or why not. `env` takes what is no name for a shell. */
const SAY_AND_START = `odd=$2
shift 2
if [ "$odd" = 0 ]; then
  command -v "$1" >/dev/null || { printf 'exec: "%s": executable file not found in $PATH\\n' "$1" >&3; exit 127; }
  { echo ok >&3; } 2>/dev/null
  exec 3>&-
  exec "$@"
fi
{ echo ok >&3; } 2>/dev/null
exec 3>&-
exec env "$@"`;

/**
 * A container's own command: `WORKING_DIR COUNT [NAME=value …] COMMAND …`. The COUNT variables are those whose names a
 * shell would drop from the environment.
 */
export const START_SCRIPT = `
${CHANGE_DIRECTORY}
${SAY_AND_START}`;

/** The same inside a container's own user namespace. */
export const ENTER_SCRIPT = `
unset TRAVELOPS_ENTER
${CHANGE_DIRECTORY}
unset OLDPWD PWD
${SAY_AND_START}`;

/** A command beside a container's own: `WORKING_DIR COMMAND …`. */
export const EXEC_SCRIPT = `
cd "$1" 2>/dev/null || cd /
shift
command -v "$1" >/dev/null || { printf 'exec: "%s": executable file not found in $PATH\\n' "$1" >&2; exit 127; }
exec "$@"`;
