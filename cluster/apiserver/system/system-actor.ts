import type { Actor } from "../../store/store.ts";

/** The server itself, in the audit log. */
export const systemActor = (verb: string): Actor => ({ user: "system:apiserver", verb });
