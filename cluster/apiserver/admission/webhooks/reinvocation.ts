/** Which webhooks are asked a second time, since others changed the object after they had seen it. */
import type { Webhook } from "./webhook.ts";

export class Reinvocation {
  /** Asked already, and willing to be asked again. */
  readonly #asked = new Set<string>();
  readonly #again = new Set<string>();
  #changed = false;

  /** Any webhook changed something: the built-in plug-ins have another look, and then who stands in line. */
  get needed(): boolean {
    return this.#changed;
  }

  /** Everybody who was asked before sees what has changed since. */
  objectChanged(): void {
    for (const id of this.#asked) this.#again.add(id);
    this.#asked.clear();
  }

  /** After a webhook was asked, in order. */
  called(webhook: Webhook, changed: boolean): void {
    if (changed) {
      this.#changed = true;
      this.objectChanged();
    }
    if (webhook.reinvoke) this.#asked.add(webhook.id);
  }

  mayAskAgain(webhook: Webhook): boolean {
    return this.#again.has(webhook.id);
  }
}
