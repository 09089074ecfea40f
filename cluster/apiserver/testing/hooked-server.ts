/** An API server with admission webhooks that one HTTPS server answers, each by a path of its own name. */
import { StatusError, type KubeClient, type KubeObject } from "@travelops/kube";
import type { Resource } from "@travelops/kube/client/client";
import { read } from "../registry/printers/printer.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "./start-test-server.ts";
import { startWebhookServer } from "./webhook-server.ts";

export interface Review {
  readonly request: Readonly<Record<string, unknown>> & { readonly uid: string };
}
export type Answer = (review: Review, name: string) => unknown;

export const CONFIG_MAPS: Resource = {
  group: "",
  version: "v1",
  resource: "configmaps",
  kind: "ConfigMap",
  namespaced: true,
};
export const MERGE_PATCH = "application/merge-patch+json";
/** What a webhook is asked about where a test says nothing else. */
export const RULE = { apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] };

export const configurations = (phase: "Mutating" | "Validating"): Resource => ({
  group: "admissionregistration.k8s.io",
  version: "v1",
  resource: `${phase.toLowerCase()}webhookconfigurations`,
  kind: `${phase}WebhookConfiguration`,
  namespaced: false,
});

const respond = (review: Review, response: object): object => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  response: { uid: review.request.uid, allowed: true, ...response },
});
export const allow: Answer = (review) => respond(review, {});
export const deny =
  (status?: object): Answer =>
  (review) =>
    respond(review, { allowed: false, ...(status === undefined ? {} : { status }) });
export const patch =
  (...operations: object[]): Answer =>
  (review) =>
    respond(review, {
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
    });
export const label =
  (key: string, value = "x"): Answer =>
  (review, name) => {
    const labels = read(review.request["object"], "metadata", "labels");
    return labels === undefined
      ? patch({ op: "add", path: "/metadata/labels", value: { [key]: value } })(review, name)
      : patch({ op: "add", path: `/metadata/labels/${key}`, value })(review, name);
  };

export const configMap = (
  name: string,
  data: Record<string, string> = {},
  labels?: Record<string, string>,
): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...(labels === undefined ? {} : { labels }) },
  data,
});

/** The Status of a refusal; throws where there is none. */
export async function refusal(promise: Promise<unknown>): Promise<StatusError["status"]> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof StatusError)) throw new Error("it was not refused", { cause: error });
  return error.status;
}

export interface HookedServer {
  readonly api: TestServer;
  readonly client: KubeClient;
  /** Requests of the reviews so far. */
  readonly reviews: Review["request"][];
  /** By a webhook's name; what has no answer here is allowed. */
  readonly answers: Map<string, Answer>;
  /** A configuration with one webhook, `NAME.example.com`. */
  configure(phase: "Mutating" | "Validating", name: string, fields?: object): Promise<void>;
  close(): Promise<void>;
}

export async function startHookedServer(options: TestServerOptions = {}): Promise<HookedServer> {
  const api = await startTestServer(options);
  const client = api.client();
  const answers = new Map<string, Answer>();
  const reviews: Review["request"][] = [];
  const hook = await startWebhookServer({
    answer(body, path) {
      const review = body as Review;
      reviews.push(review.request);
      const name = path.slice(1).split("?")[0] ?? "";
      return (answers.get(name) ?? allow)(review, name);
    },
  });
  return {
    api,
    client,
    reviews,
    answers,
    async configure(phase, name, fields = {}) {
      const webhook = {
        name: `${name}.example.com`,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { url: `${hook.url}/${name}`, caBundle: hook.caBundle },
        rules: [RULE],
        ...fields,
      };
      await client.create(configurations(phase), {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: `${phase}WebhookConfiguration`,
        metadata: { name },
        webhooks: [webhook],
      });
    },
    async close() {
      await api.close();
      await hook.close();
    },
  };
}
