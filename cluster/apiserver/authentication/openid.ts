/** What others need to verify this cluster's ServiceAccount tokens by themselves. */
import type { TokenKey } from "../pki/cluster-pki.ts";

export const openidConfiguration = (issuer: string): object => ({
  issuer,
  jwks_uri: `${issuer}/openid/v1/jwks`,
  response_types_supported: ["id_token"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["ES256"],
});

export const keySet = (key: TokenKey): object => ({
  keys: [{ use: "sig", kid: key.id, alg: "ES256", ...key.publicKey.export({ format: "jwk" }) }],
});
