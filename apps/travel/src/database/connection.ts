import type { Socket } from "node:net";
import type { Account } from "./auth/account.ts";
import { newChallenge } from "./auth/authenticator.ts";
import type { PluginName } from "./auth/password.ts";
import { runCommand } from "./commands.ts";
import type { Engine, ProcessEntry } from "./engine/engine.ts";
import { Session } from "./engine/session.ts";
import { errors, MySqlError } from "./errors.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { collationOf } from "./wire/charset.ts";
import { Capability, Command, Status } from "./wire/constants.ts";
import { greeting, parseChangeUser, parseHandshakeResponse } from "./wire/handshake.ts";
import { PacketChannel } from "./wire/packet-channel.ts";
import { errorPacket, okPacket } from "./wire/result-packets.ts";

const BEFORE_LOGIN = 1 << 20;
const HANDSHAKE_TIMEOUT = 10_000;

export interface ConnectionOptions {
  readonly engine: Engine;
  readonly id: number;
  readonly defaultPlugin: PluginName;
  readonly signal: AbortSignal;
  readonly failed: (error: unknown) => void;
}

interface Login {
  readonly user: string;
  readonly plugin: string | undefined;
  readonly answer: Buffer;
  readonly challenge: Buffer;
  readonly database: string | undefined;
  readonly collation: number;
}

/** One client, from its greeting to its end. */
export class Connection {
  readonly channel: PacketChannel;
  readonly options: ConnectionOptions;
  readonly prepared = new PreparedStatements();
  multiStatements = false;
  command = "Connect";
  statement: string | undefined;
  readonly #socket: Socket;
  readonly #gone = new AbortController();
  #session: Session | undefined;
  #since: number;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.options = options;
    this.#since = options.engine.now();
    this.channel = new PacketChannel(socket, BEFORE_LOGIN);
    socket.setNoDelay(true);
    socket.on("error", () => this.#gone.abort());
    socket.once("close", () => this.#gone.abort());
    options.signal.addEventListener("abort", () => this.kill(), { signal: this.#gone.signal });
  }

  get session(): Session {
    if (!this.#session) throw errors.unknownCommand();
    return this.#session;
  }

  /** Serves the client until it leaves. */
  async serve(): Promise<void> {
    try {
      const timer = setTimeout(() => this.kill(), HANDSHAKE_TIMEOUT);
      const entered = await this.#answering(() => this.#greet());
      clearTimeout(timer);
      if (entered) await this.#commands();
    } finally {
      this.options.engine.processes.delete(this.options.id);
      this.#session?.close();
      await this.channel.end();
      this.#socket.destroySoon();
    }
  }

  kill(): void {
    this.#gone.abort();
    this.#socket.destroy();
  }

  /** Runs a step; its error goes to the client. Gives whether it went well. */
  async #answering(step: () => Promise<void>): Promise<boolean> {
    try {
      await step();
      return true;
    } catch (error) {
      if (error instanceof ClientGone) return false;
      if (!(error instanceof MySqlError)) this.options.failed(error);
      const known = error instanceof MySqlError ? error : errors.internal("internal error; see the server's log");
      this.#session?.warnings.splice(0, Infinity, { level: "Error", code: known.code, message: known.message });
      this.channel.send(errorPacket(known));
      await this.channel.flush();
      return false;
    }
  }

  async #receive(): Promise<Buffer> {
    const packet = await this.channel.receive();
    if (!packet) throw new ClientGone();
    return packet.payload;
  }

  async #greet(): Promise<void> {
    const { id, defaultPlugin } = this.options;
    const challenge = newChallenge();
    this.channel.send(greeting(id, challenge, defaultPlugin));
    const response = parseHandshakeResponse(await this.#receive());
    this.multiStatements = (response.capabilities & Capability.MULTI_STATEMENTS) !== 0;
    await this.#login({ ...response, challenge });
    this.channel.send(okPacket({ affectedRows: 0, lastInsertId: 0, status: this.status, warnings: 0, info: "" }));
  }

  get #hosts(): string[] {
    const address = (this.#socket.remoteAddress ?? "localhost").replace(/^::ffff:/, "");
    return address === "127.0.0.1" || address === "::1" ? [address, "localhost"] : [address];
  }

  async #login(login: Login): Promise<void> {
    const hosts = this.#hosts;
    const { engine } = this.options;
    const account = await engine.authenticator.login(
      { user: login.user, hosts, plugin: login.plugin, answer: login.answer, challenge: login.challenge },
      { send: (payload) => this.channel.send(payload), receive: () => this.#receive() },
    );
    this.#enter(account, hosts[0] ?? "localhost", login);
  }

  #enter(account: Account, host: string, login: Login): void {
    const { engine, id } = this.options;
    this.#session?.close();
    this.prepared.clear();
    const session = new Session(engine, { id, account, user: login.user, host, signal: this.#gone.signal });
    this.#session = session;
    session.setCharset(collationOf(login.collation).charset, collationOf(login.collation).name);
    if (login.database !== undefined) session.use(login.database);
    this.channel.allow(Number(session.variables.get("max_allowed_packet")));
    engine.processes.set(id, () => this.#process(account, host));
  }

  #process(account: Account, host: string): ProcessEntry {
    return {
      id: this.options.id,
      user: account.user,
      host: `${host}:${this.#socket.remotePort ?? 0}`,
      database: this.#session?.database,
      command: this.command,
      since: this.#since,
      statement: this.statement,
      kill: () => this.kill(),
    };
  }

  /** COM_CHANGE_USER: a login on the open connection; when it fails the connection ends. */
  async changeUser(payload: Buffer): Promise<void> {
    const request = parseChangeUser(payload);
    // The answer belongs to the first challenge, which is spent: a switch gives a new one.
    const { user, database } = request;
    const collation = request.collation ?? 255;
    await this.#login({ user, database, collation, plugin: "", answer: Buffer.alloc(0), challenge: newChallenge() });
  }

  /** The status flags of the session. */
  get status(): number {
    const session = this.#session;
    if (!session) return Status.AUTOCOMMIT;
    const transaction = session.store.inTransaction ? Status.IN_TRANSACTION : 0;
    const escapes = session.variables.mode("NO_BACKSLASH_ESCAPES") ? Status.NO_BACKSLASH_ESCAPES : 0;
    return transaction | escapes | (session.variables.is("autocommit") ? Status.AUTOCOMMIT : 0);
  }

  async #commands(): Promise<void> {
    for (;;) {
      this.#rest("Sleep");
      let fatal = true;
      const well = await this.#answering(async () => {
        const payload = await this.#receive();
        fatal = payload[0] === Command.QUIT || payload[0] === Command.CHANGE_USER;
        if (payload[0] === Command.QUIT) throw new ClientGone();
        this.options.engine.questions++;
        await runCommand(this, payload, (name, statement) => this.#rest(name, statement));
      });
      if ((!well && fatal) || this.#gone.signal.aborted) return;
    }
  }

  #rest(command: string, statement?: string): void {
    this.command = command;
    this.statement = statement;
    this.#since = this.options.engine.now();
  }
}

class ClientGone extends Error {}
