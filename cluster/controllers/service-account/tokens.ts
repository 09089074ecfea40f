/** Secrets of type kubernetes.io/service-account-token: filled for their account, gone with it. */
import type { Secret, ServiceAccount, TokenRequest } from "@travelops/kube";
import { keyOf, runController, SECRETS, SERVICE_ACCOUNTS, sourceOf, splitKey } from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { deleteExactly, patched } from "../shared/write.ts";

const TYPE = "kubernetes.io/service-account-token";
const ACCOUNT = "kubernetes.io/service-account.name";
const ACCOUNT_UID = "kubernetes.io/service-account.uid";
const BY_ACCOUNT = "service-account";
/** Upstream's have no end; a request must state one. The Secret binds it, so deleting that revokes it. */
const TEN_YEARS_S = 10 * 365 * 24 * 3600;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** What is missing from a token Secret, or undefined when nothing is. */
function missingFrom(secret: Secret, account: ServiceAccount, rootCa: string | undefined): "data" | undefined {
  const { data } = secret;
  const whole =
    data?.["token"] !== undefined &&
    data["namespace"] !== undefined &&
    (rootCa === undefined || data["ca.crt"] === base64(rootCa)) &&
    secret.metadata.annotations?.[ACCOUNT_UID] === account.metadata.uid;
  return whole ? undefined : "data";
}

/** Runs until the signal aborts. */
export async function tokenController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log, rootCa } = context;
  const secrets = informers.of(SECRETS);
  const accounts = informers.of(SERVICE_ACCOUNTS);
  secrets.addIndex(BY_ACCOUNT, (secret) => {
    const account = secret.metadata.annotations?.[ACCOUNT];
    return secret.type === TYPE && account !== undefined ? [`${secret.metadata.namespace}/${account}`] : [];
  });

  const fill = async (secret: Secret, account: ServiceAccount): Promise<void> => {
    const { name = "", namespace = "", uid } = secret.metadata;
    const request: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: {
        expirationSeconds: TEN_YEARS_S,
        boundObjectRef: { apiVersion: "v1", kind: "Secret", name, uid },
      },
    };
    const kept =
      secret.metadata.annotations?.[ACCOUNT_UID] === account.metadata.uid ? secret.data?.["token"] : undefined;
    let token = kept;
    if (token === undefined) {
      const answer = await client.createSubresource(
        SERVICE_ACCOUNTS,
        namespace,
        account.metadata.name ?? "",
        "token",
        request,
      );
      token = base64((answer as TokenRequest).status?.token ?? "");
    }
    await patched(client, secrets, secret, {
      metadata: { annotations: { [ACCOUNT_UID]: account.metadata.uid } },
      data: {
        token,
        namespace: base64(namespace),
        ...(rootCa === undefined ? {} : { "ca.crt": base64(rootCa) }),
      },
    });
  };

  await runController({
    name: "token",
    signal,
    clock,
    log,
    sources: [
      sourceOf(secrets, ({ object }) => (object.type === TYPE ? [keyOf(object)] : [])),
      sourceOf(accounts, ({ object }) => secrets.byIndex(BY_ACCOUNT, keyOf(object)).map(keyOf)),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const secret = secrets.get(namespace, name);
      const accountName = secret?.metadata.annotations?.[ACCOUNT];
      if (secret === undefined || accountName === undefined || secret.metadata.deletionTimestamp !== undefined) return;
      const account = accounts.get(namespace, accountName);
      const bound = secret.metadata.annotations?.[ACCOUNT_UID];
      if (account !== undefined && (bound === undefined || bound === account.metadata.uid)) {
        if (missingFrom(secret, account, rootCa) !== undefined) await fill(secret, account);
        return;
      }
      // Only one that was filled for an account that is gone: a new one may have been made before its account.
      if (bound !== undefined) await deleteExactly(client, SECRETS, secret);
    },
  });
}
