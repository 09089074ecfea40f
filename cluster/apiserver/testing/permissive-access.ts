/** For tests of the server alone: a bearer token is a user's name, and everyone may do everything. */
import { unauthorized } from "@travelops/kube";
import type { AccessControl } from "../access.ts";

export const permissiveAccess = (): AccessControl => ({
  async authenticate({ headers }) {
    const given = headers["authorization"];
    if (typeof given !== "string") return undefined;
    const name = /^Bearer (.+)$/.exec(given)?.[1];
    if (name === undefined) throw unauthorized();
    return { name, groups: name === "admin" ? ["system:masters", "system:authenticated"] : ["system:authenticated"] };
  },
  authorize: () => ({ allowed: true, reason: "" }),
  admit: ({ object }) => object,
  answerReview: ({ object }) => Promise.resolve({ ...object, status: {} }),
  issueToken: ({ object }) => Promise.resolve({ ...object, status: { token: "token", expirationTimestamp: "2030-01-01T00:00:00Z" } }),
  openidConfiguration: () => ({ issuer: "https://kubernetes.default.svc" }),
  jwks: () => ({ keys: [] }),
  close() {},
});
