import { constants, generateKeyPair, privateDecrypt, randomBytes, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { errors } from "../errors.ts";
import { authMoreData, authSwitch } from "../wire/handshake.ts";
import { accountName, type Account } from "./account.ts";
import type { AccountStore } from "./account-store.ts";
import {
  fastDigest,
  verifyFastScramble,
  verifyNativeScramble,
  verifyPassword,
  type Credential,
  type PluginName,
} from "./password.ts";

/** The client during authentication: what is sent, and its next packet. */
export interface AuthChannel {
  send(payload: Buffer): void;
  receive(): Promise<Buffer>;
}

export interface LoginAttempt {
  readonly user: string;
  /** The address, and names that stand for it. */
  readonly hosts: readonly string[];
  readonly plugin: string | undefined;
  readonly answer: Buffer;
  readonly challenge: Buffer;
}

const FAST_OK = 3;
const FULL_NEEDED = 4;
const KEY_REQUEST = 2;
const RSA_BYTES = 256;

const generate = promisify(generateKeyPair);

/** A challenge without zero bytes: clients read it as a string. */
export function newChallenge(): Buffer {
  return Buffer.from(randomBytes(20).map((byte) => (byte % 126) + 1));
}

/** Proves who connects. */
export class Authenticator {
  readonly #accounts: AccountStore;
  readonly #defaultPlugin: PluginName;
  readonly #proved = new Map<string, Buffer>();
  #keys: Promise<{ publicKey: KeyObject; privateKey: KeyObject }> | undefined;

  constructor(accounts: AccountStore, defaultPlugin: PluginName) {
    this.#accounts = accounts;
    this.#defaultPlugin = defaultPlugin;
  }

  /** Forgets what was proved, so that caching_sha2_password must prove it in full again. */
  flush(): void {
    this.#proved.clear();
  }

  /** The account of the attempt; access denied for every reason alike. */
  async login(attempt: LoginAttempt, channel: AuthChannel): Promise<Account> {
    const account = this.#accounts.match(attempt.user, attempt.hosts);
    const plugin = account?.credential.plugin ?? this.#defaultPlugin;
    let { answer, challenge } = attempt;
    if (attempt.plugin !== undefined && attempt.plugin !== plugin) {
      challenge = newChallenge();
      channel.send(authSwitch(plugin, challenge));
      answer = await channel.receive();
    }
    const usesPassword = answer.length > 0 && !(answer.length === 1 && answer[0] === 0);
    const denied = errors.accessDenied(attempt.user, attempt.hosts[0] ?? "", usesPassword);
    const proved = await this.#prove(account, plugin, challenge, usesPassword ? answer : Buffer.alloc(0), channel);
    if (!account || !proved || account.locked) throw denied;
    return account;
  }

  async #prove(
    account: Account | undefined,
    plugin: PluginName,
    challenge: Buffer,
    answer: Buffer,
    channel: AuthChannel,
  ): Promise<boolean> {
    const credentials = account ? [account.credential, ...(account.oldCredential ? [account.oldCredential] : [])] : [];
    if (answer.length === 0) return credentials.some((credential) => credential.hash === "");
    if (plugin === "mysql_native_password") {
      return credentials.some((credential) => verifyNativeScramble(credential.hash, challenge, answer));
    }
    const remembered = credentials.flatMap((credential) => this.#proved.get(keyOf(account, credential)) ?? []);
    if (remembered.some((digest) => verifyFastScramble(digest, challenge, answer))) {
      channel.send(authMoreData(Buffer.of(FAST_OK)));
      return true;
    }
    const password = await this.#fullPassword(challenge, channel);
    for (const credential of credentials) {
      if (!(await verifyPassword(credential, password))) continue;
      this.#proved.set(keyOf(account, credential), fastDigest(password));
      return true;
    }
    return false;
  }

  /** Full authentication: the password, encrypted with our key since the connection is not. */
  async #fullPassword(challenge: Buffer, channel: AuthChannel): Promise<string> {
    channel.send(authMoreData(Buffer.of(FULL_NEEDED)));
    this.#keys ??= generate("rsa", { modulusLength: RSA_BYTES * 8 });
    const { publicKey, privateKey } = await this.#keys;
    let reply = await channel.receive();
    if (reply.length === 1 && reply[0] === KEY_REQUEST) {
      channel.send(authMoreData(Buffer.from(publicKey.export({ type: "spki", format: "pem" }))));
      reply = await channel.receive();
    }
    // Some clients trust the network and send the password as it is. It has been sent: refusing it helps no one.
    if (reply.length !== RSA_BYTES && reply.at(-1) === 0) return reply.subarray(0, -1).toString();
    try {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const masked = privateDecrypt({ key: privateKey, padding, oaepHash: "sha1" }, reply);
      const clear = Buffer.from(masked.map((byte, index) => byte ^ (challenge[index % challenge.length] ?? 0)));
      return clear.subarray(0, clear.indexOf(0) < 0 ? clear.length : clear.indexOf(0)).toString();
    } catch {
      // Neither our key nor a password: as wrong as any other.
      return "\0";
    }
  }
}

function keyOf(account: Account | undefined, credential: Credential): string {
  return `${account ? accountName(account) : ""} ${credential.hash}`;
}
