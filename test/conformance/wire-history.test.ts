/** What HTTP clients see of versions that are no longer known, on either API server. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type StartedApi, startApiUnderTest } from "../api-under-test.ts";
import { type Ask, jsonOf, type Listed, type Refused, wireClient } from "./wire-client.ts";

// Upstream keeps no copies of Events in memory: what it answers is what its storage knows.
const EVENTS = "/api/v1/namespaces/default/events";

interface Expired extends Refused {
  readonly metadata: { readonly continue?: string };
}

describe("history that is gone", () => {
  let api: StartedApi;
  let ask: Ask;
  let first: Listed;

  const make = async (name: string): Promise<void> => {
    const event = { apiVersion: "v1", kind: "Event", metadata: { name }, involvedObject: { namespace: "default" } };
    await ask("POST", EVENTS, {}, event);
  };
  const refusal = async (query: string): Promise<[code: number, status: Expired]> => {
    const answer = await ask("GET", `${EVENTS}?${query}`);
    return [answer.code, jsonOf<Expired>(answer)];
  };

  beforeAll(async () => {
    api = await startApiUnderTest({ forgetful: true });
    ask = wireClient(api);
    for (const name of ["a", "b", "c", "e"]) await make(name);
    first = jsonOf<Listed>(await ask("GET", `${EVENTS}?limit=2`));
    await make("d");
    await ask("DELETE", `${EVENTS}/c`);
    await api.forget();
  }, 90_000);
  afterAll(() => api.close());

  test("the first part of the list was complete", () => {
    expect(first.items.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
  });

  test("a continue token is too old, and another is offered, for whoever can do with a list that does not agree", async () => {
    const [code, status] = await refusal(`limit=2&continue=${first.metadata.continue}`);
    expect([code, status.reason, status.message]).toEqual([
      410,
      "Expired",
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without " +
        "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. " +
        "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or " +
        "deleted between the time the first chunk was returned and now may show up in the list.",
    ]);
    const token = status.metadata.continue ?? "";
    expect(JSON.parse(Buffer.from(token, "base64url").toString("utf8"))).toEqual({
      v: "meta.k8s.io/v1",
      rv: -1,
      start: "b\u0000",
    });
    const rest = jsonOf<Listed>(await ask("GET", `${EVENTS}?limit=2&continue=${token}`));
    expect([rest.items.map(({ metadata }) => metadata.name), rest.metadata.continue]).toEqual([["d", "e"], undefined]);
    expect(Number(rest.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
  });

  test("a list of that version is refused", async () => {
    const [code, status] = await refusal(
      `resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
    );
    expect([code, status.reason, status.message]).toEqual([
      410,
      "Expired",
      "The resourceVersion for the provided list is too old.",
    ]);
  });

  test("a watch from there begins with an error", async () => {
    const answer = await ask(
      "GET",
      `${EVENTS}?watch=1&timeoutSeconds=1&resourceVersion=${first.metadata.resourceVersion}`,
    );
    expect([answer.code, jsonOf(answer)]).toMatchObject([
      200,
      {
        type: "ERROR",
        object: {
          kind: "Status",
          code: 410,
          reason: "Expired",
          message: "The resourceVersion for the provided watch is too old.",
        },
      },
    ]);
  });
});
