/** For tests: how a run ended. */
import { StatusError } from "../../api/status-error.ts";

/** Anything but "value" or "status" is a bug, and is handed back as it was thrown. */
export function outcome(run: () => unknown): unknown {
  try {
    run();
    return "value";
  } catch (error) {
    return error instanceof StatusError ? "status" : error;
  }
}

/** The refusal that a run must end in. */
export function refusal(run: () => unknown): StatusError {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}
