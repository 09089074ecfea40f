/** Whether a certificate and its key can be served: a TLS server that is given others does not come to an answer. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import tls from "node:tls";

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface KeyPairFault {
  readonly part: "certificate" | "key";
  readonly message: string;
}

/** What is wrong with a pair; `cert` may be a chain. */
export function keyPairFault({ cert, key }: KeyPair): KeyPairFault | undefined {
  return (
    faultOf("certificate", "no PEM certificate can be read", () => new X509Certificate(cert)) ??
    faultOf("key", "no PEM private key can be read", () => createPrivateKey(key)) ??
    faultOf("key", "private key does not match the certificate", () => matching(cert, key)) ??
    faultOf("certificate", "the chain cannot be served", () => tls.createSecureContext({ cert, key }))
  );
}

function matching(cert: string, key: string): void {
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error("no match");
}

function faultOf(part: KeyPairFault["part"], message: string, attempt: () => unknown): KeyPairFault | undefined {
  try {
    attempt();
    return undefined;
  } catch {
    // What the library says may quote the key.
    return { part, message };
  }
}

/** Remembers for as long as `owner` lives: compilers ask at every change of anything. */
export class KeyPairs {
  readonly #known = new WeakMap<object, KeyPairFault | "good">();

  fault(owner: object, pair: KeyPair): KeyPairFault | undefined {
    const known = this.#known.get(owner) ?? keyPairFault(pair) ?? "good";
    this.#known.set(owner, known);
    return known === "good" ? undefined : known;
  }
}
