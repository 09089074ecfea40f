import { expect, it } from "vitest";
import type { GitRepositories } from "../source/git-repository.ts";
import { TargetStates } from "./target-state.ts";
import type { Application } from "./types.ts";

const application = (name: string): Application =>
  ({
    apiVersion: "argoproj.io/v1alpha1",
    kind: "Application",
    metadata: { name },
    spec: {
      project: "default",
      destination: {},
      source: { repoURL: "https://git.example.com/a.git", targetRevision: "main", path: "." },
    },
  }) as Application;

interface Asked {
  readonly signal: AbortSignal;
  readonly answer: (commit: string) => void;
}

/** Target states over a remote that answers when the test says so. */
function lab(): { states: TargetStates; asked: Asked[] } {
  const asked: Asked[] = [];
  const git = {
    resolve: (_url: string, _revision: string, _credentials: unknown, signal: AbortSignal) =>
      new Promise<string>((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        asked.push({ signal, answer: resolve });
      }),
  } as unknown as GitRepositories;
  const states = new TargetStates({
    git,
    credentials: () => undefined,
    now: () => 0,
    revisionTtlMs: 60_000,
  } as unknown as ConstructorParameters<typeof TargetStates>[0]);
  return { states, asked };
}

const never = new AbortController().signal;

it("asks the remote once for all that follow the same branch", async () => {
  const { states, asked } = lab();
  const both = [states.revision(application("a"), never), states.revision(application("b"), never)];
  expect(asked).toHaveLength(1);
  asked[0]?.answer("c1");
  expect(await Promise.all(both)).toEqual(["c1", "c1"]);
  expect(await states.revision(application("c"), never)).toBe("c1");
  expect(asked).toHaveLength(1);
});

it("asks anew after a push, even while an older question is under way", async () => {
  const { states, asked } = lab();
  const before = states.revision(application("a"), never);
  states.forgetRepository("https://git.example.com/a");
  const after = states.revision(application("b"), never);
  expect(asked).toHaveLength(2);
  asked[1]?.answer("new");
  asked[0]?.answer("old");
  expect(await Promise.all([before, after])).toEqual(["old", "new"]);
  expect(await states.revision(application("c"), never)).toBe("new");
});

it("asks itself when whoever had asked is called off", async () => {
  const { states, asked } = lab();
  const stop = new AbortController();
  const first = states.revision(application("a"), stop.signal);
  const second = states.revision(application("b"), never);
  stop.abort();
  await expect(first).rejects.toThrow(/abort/);
  await expect.poll(() => asked.length).toBe(2);
  asked[1]?.answer("c1");
  expect(await second).toBe("c1");
});
