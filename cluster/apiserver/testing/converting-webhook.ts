/**
 * A conversion webhook for tests: Routes whose v1 has `spec.hostPort` and whose v2 has `spec.host` and `spec.port`.
 * Paths other than `/convert` answer wrongly, each in a way of its own.
 */
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";
import { answerWith, startWebhookServer, type WebhookServer } from "./webhook-server.ts";

interface Request {
  readonly uid: string;
  readonly desiredAPIVersion: string;
  readonly objects: readonly JsonObject[];
}

/** One object in the version asked for. */
export function converted(object: JsonObject, apiVersion: string): JsonObject {
  const { hostPort, host, port, ...rest } = isObject(object["spec"]) ? object["spec"] : {};
  if (apiVersion.endsWith("/v1")) {
    const joined = host === undefined ? hostPort : [host, port].join(":");
    return { ...object, apiVersion, spec: { ...rest, ...(joined === undefined ? {} : { hostPort: joined }) } };
  }
  const [name, number] = typeof hostPort === "string" ? hostPort.split(":") : [];
  return { ...object, apiVersion, spec: { ...rest, host: name ?? host, port: number ?? port } };
}

const withMetadata = (object: JsonObject, change: (metadata: JsonObject) => JsonObject): JsonObject => ({
  ...object,
  metadata: change(isObject(object["metadata"]) ? object["metadata"] : {}),
});

/** What a path does to the objects that were converted as they should be. */
const FAULTS: Readonly<Record<string, (object: JsonObject) => JsonObject>> = {
  "/rename": (object) => withMetadata(object, (metadata) => ({ ...metadata, name: "other" })),
  "/relabel": (object) =>
    withMetadata(object, (metadata) => ({
      ...metadata,
      labels: { converted: "yes" },
      finalizers: ["example.com/new"],
      creationTimestamp: "2000-01-01T00:00:00Z",
    })),
  "/bad-label": (object) => withMetadata(object, (metadata) => ({ ...metadata, labels: { "not a key": "x" } })),
  "/number-label": (object) => withMetadata(object, (metadata) => ({ ...metadata, labels: { a: 1 } })),
  "/no-metadata": ({ metadata: _metadata, ...rest }) => rest,
  "/wrong-version": (object) => ({ ...object, apiVersion: "hooks.example.com/v9" }),
  "/wrong-kind": (object) => ({ ...object, kind: "Other" }),
};

/** The answer to a ConversionReview, by the path it was sent to. */
export function answerConversion(body: unknown, path: string): unknown {
  const review = body as { apiVersion: string; request: Request };
  const { uid, desiredAPIVersion, objects } = review.request;
  const [where = ""] = path.split("?");
  const respond = (response: JsonObject): unknown => ({
    kind: "ConversionReview",
    apiVersion: review.apiVersion,
    response: { uid, ...response },
  });
  if (where === "/error") return answerWith(500, "boom");
  if (where === "/text") return answerWith(200, "hello");
  if (where === "/fail") return respond({ result: { status: "Failed", message: "no luck today" } });
  if (where === "/silent-fail") return respond({ result: { status: "Failed" } });
  if (where === "/empty") return respond({ result: { status: "Success" }, convertedObjects: [] });
  if (where === "/other-uid") return respond({ uid: "x", result: { status: "Success" }, convertedObjects: objects });
  if (where === "/no-response") return { kind: "ConversionReview", apiVersion: review.apiVersion };
  const fault = FAULTS[where] ?? ((object: JsonObject) => object);
  const convertedObjects = objects.map((object) => fault(converted(object, desiredAPIVersion)));
  return respond({ result: { status: "Success" }, convertedObjects });
}

/** Starts it. */
export const startConvertingWebhook = (names?: readonly string[]): Promise<WebhookServer> =>
  startWebhookServer({ answer: answerConversion, ...(names === undefined ? {} : { names }) });
