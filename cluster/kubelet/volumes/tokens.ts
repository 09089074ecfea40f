/** Service account tokens for pods: asked for once, kept, and renewed before they run out. */
import { steadyNow, type Clock } from "@travelops/kube/api/clock.ts";
import type { KubeClient } from "@travelops/kube";
import type { Pod, TokenRequest } from "@travelops/kube/api/types/index.ts";
import { SERVICE_ACCOUNTS } from "@travelops/kube/client/resources.ts";
import { VolumeError } from "./payload.ts";

const DEFAULT_SECONDS = 3600;
const LONGEST_MS = 24 * 3600 * 1000;
const RETRY_MS = 2000;

interface Token {
  text: string | undefined;
  failure: string | undefined;
  renewAt: number;
  asking: boolean;
}

/** The tokens of one pod. */
export class PodTokens {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #pod: Pod;
  readonly #changed: () => void;
  readonly #tokens = new Map<string, Token>();

  /** `changed` is called when a token has come, or failed to. */
  constructor(client: KubeClient, clock: Clock, pod: Pod, changed: () => void) {
    this.#client = client;
    this.#clock = clock;
    this.#pod = pod;
    this.#changed = changed;
  }

  /** The token, which is asked for where it is missing; throws `VolumeError` until it has come. */
  get(audience: string | undefined, expirationSeconds: number = DEFAULT_SECONDS): string {
    const key = `${audience ?? ""} ${expirationSeconds}`;
    const token = this.#tokens.get(key) ?? { text: undefined, failure: undefined, renewAt: 0, asking: false };
    this.#tokens.set(key, token);
    if (!token.asking && this.#clock.now() >= token.renewAt) void this.#ask(token, audience, expirationSeconds);
    if (token.text === undefined) throw new VolumeError(token.failure ?? "waiting for the service account token");
    return token.text;
  }

  /** When the first of them wants to be renewed, in steady time; tokens themselves end at a time of the day. */
  get nextRenewal(): number {
    const ahead = this.#clock.now() - steadyNow(this.#clock);
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...[...this.#tokens.values()].map((token) => (token.asking ? Number.POSITIVE_INFINITY : token.renewAt - ahead)),
    );
  }

  get waiting(): boolean {
    return [...this.#tokens.values()].some((token) => token.asking && token.text === undefined);
  }

  async #ask(token: Token, audience: string | undefined, expirationSeconds: number): Promise<void> {
    token.asking = true;
    const { metadata, spec } = this.#pod;
    const account =
      spec.serviceAccountName === undefined || spec.serviceAccountName === "" ? "default" : spec.serviceAccountName;
    try {
      const answer = (await this.#client.createSubresource(
        SERVICE_ACCOUNTS,
        metadata.namespace ?? "",
        account,
        "token",
        {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          metadata: {},
          spec: {
            ...(audience === undefined || audience === "" ? { audiences: [] } : { audiences: [audience] }),
            expirationSeconds,
            boundObjectRef: { apiVersion: "v1", kind: "Pod", name: metadata.name, uid: metadata.uid },
          },
        },
      )) as TokenRequest;
      const now = this.#clock.now();
      const left = Date.parse(answer.status?.expirationTimestamp ?? "") - now;
      token.text = answer.status?.token;
      token.renewAt = now + Math.min(LONGEST_MS, Number.isFinite(left) ? left * 0.8 : DEFAULT_SECONDS * 800);
    } catch (error) {
      token.failure = `failed to fetch token: ${error instanceof Error ? error.message : String(error)}`;
      token.renewAt = this.#clock.now() + RETRY_MS;
    } finally {
      token.asking = false;
      this.#changed();
    }
  }
}
