import { StatusError } from "@travelops/kube";

/** The path is there, but not for this method. */
export const methodNotAllowed = (): StatusError =>
  new StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
