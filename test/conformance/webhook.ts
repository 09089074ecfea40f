/**
 * The program `webhook` of the scripts: `webhook serve` answers admission reviews by the path they are sent to, and
 * conversion reviews of Routes (`converting-webhook.ts`); it leaves in `webhook.where` what `webhook where` prints: its URL, and its CA for `caBundle`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { answerConversion } from "../../cluster/apiserver/testing/converting-webhook.ts";
import { answerWith, startWebhookServer } from "../../cluster/apiserver/testing/webhook-server.ts";

interface Review {
  readonly apiVersion: string;
  readonly request: { readonly uid: string; readonly object: KubeMetadata | null } & Readonly<Record<string, unknown>>;
}
interface KubeMetadata {
  readonly metadata?: { readonly annotations?: Record<string, string>; readonly labels?: Record<string, string> };
}

const WHERE = "webhook.where";

const respond = (review: Review, response: object): object => ({
  apiVersion: review.apiVersion,
  kind: "AdmissionReview",
  response: { uid: review.request.uid, allowed: true, ...response },
});

const patch = (review: Review, ...operations: readonly object[]): object =>
  respond(review, { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(operations)).toString("base64") });

/** Adds `word` to the annotation `order`, so that it tells who was asked, and when. */
function sign(review: Review, word: string): object {
  const annotations = review.request.object?.metadata?.annotations;
  const order = annotations?.["order"];
  return patch(
    review,
    ...(annotations === undefined ? [{ op: "add", path: "/metadata/annotations", value: {} }] : []),
    { op: "add", path: "/metadata/annotations/order", value: order === undefined ? word : `${order}-${word}` },
  );
}

/** What was asked, as the message of a refusal: in an order of its own, without what differs from run to run. */
function shown(review: Review): string {
  const { uid: _uid, userInfo: _user, ...request } = review.request;
  const sorted = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sorted)
      : typeof value !== "object" || value === null
        ? value
        : Object.fromEntries(
            Object.entries(value)
              .filter(([key]) => key !== "managedFields" && key !== "extra")
              .toSorted(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, inner]) => [key, sorted(inner)]),
          );
  return JSON.stringify(sorted(request));
}

const refuse = (review: Review, status?: object): object =>
  respond(review, { allowed: false, ...(status === undefined ? {} : { status }) });

const ANSWERS: Readonly<Record<string, (review: Review) => unknown>> = {
  "/allow": (review) => respond(review, {}),
  "/deny": (review) => refuse(review, { message: "not today" }),
  "/deny-bare": (review) => refuse(review),
  "/deny-status": (review) => refuse(review, { message: "not you", code: 403, reason: "Forbidden" }),
  "/deny-reason": (review) => refuse(review, { reason: "Because", code: 200 }),
  "/show": (review) => refuse(review, { message: shown(review) }),
  "/sign-a": (review) => sign(review, "a"),
  "/sign-b": (review) => sign(review, "b"),
  "/sign-c": (review) => sign(review, "c"),
  "/warn": (review) => respond(review, { warnings: ["mind the gap"] }),
  "/owners": (review) =>
    patch(review, { op: "replace", path: "/metadata/managedFields/0/fieldsType", value: "FieldsV9" }),
  "/unknown-field": (review) => patch(review, { op: "add", path: "/nonsense", value: 1 }),
  "/wrong-type": (review) => patch(review, { op: "add", path: "/data", value: "text" }),
  "/invalid": (review) => patch(review, { op: "add", path: "/data", value: { "not a key": "x" } }),
  "/no-such-path": (review) => patch(review, { op: "remove", path: "/data/missing" }),
  "/no-patch": (review) => respond(review, { patchType: "JSONPatch" }),
  "/no-patch-type": (review) => respond(review, { patch: "W10=" }),
  "/bad-patch": (review) => respond(review, { patchType: "JSONPatch", patch: "bm8=" }),
  "/other-uid": (review) => respond(review, { uid: "other" }),
  "/other-kind": (review) => ({ ...respond(review, {}), kind: "Review" }),
  "/no-response": ({ apiVersion }) => ({ apiVersion, kind: "AdmissionReview" }),
  "/no-json": () => answerWith(200, "hello"),
  "/boom": () => answerWith(500, "boom"),
  "/missing": () => answerWith(404, "nothing here"),
  "/silent": () => new Promise(() => {}),
};

async function serve(): Promise<void> {
  const server = await startWebhookServer({
    answer: (body, path) =>
      (body as { readonly kind?: unknown }).kind === "ConversionReview"
        ? answerConversion(body, path)
        : (ANSWERS[path.split("?")[0] ?? ""]?.(body as Review) ?? answerWith(404, "no such answer")),
  });
  writeFileSync(WHERE, `${server.url} ${server.caBundle}\n`);
  process.stdout.write("ready\n");
}

if (process.argv[2] === "where") process.stdout.write(readFileSync(WHERE, "utf8"));
else await serve();
