import type { PluginName } from "../auth/password.ts";
import { errors } from "../errors.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { Capability, CHARSET_UTF8MB4, SERVER_CAPABILITIES, SERVER_VERSION, Status } from "./constants.ts";

/** The server's first packet. */
export function greeting(connectionId: number, challenge: Buffer, plugin: PluginName): Buffer {
  return new ByteWriter(128)
    .uint8(10)
    .zeroTerminated(SERVER_VERSION)
    .uint32(connectionId)
    .bytes(challenge.subarray(0, 8))
    .uint8(0)
    .uint16(SERVER_CAPABILITIES & 0xffff)
    .uint8(CHARSET_UTF8MB4 & 0xff)
    .uint16(Status.AUTOCOMMIT)
    .uint16(SERVER_CAPABILITIES >>> 16)
    .uint8(challenge.length + 1)
    .zeros(10)
    .bytes(challenge.subarray(8))
    .uint8(0)
    .zeroTerminated(plugin)
    .done();
}

export interface HandshakeResponse {
  readonly capabilities: number;
  readonly collation: number;
  readonly user: string;
  readonly answer: Buffer;
  readonly database: string | undefined;
  readonly plugin: string | undefined;
}

/** The client's answer to the greeting. */
export function parseHandshakeResponse(payload: Buffer): HandshakeResponse {
  const reader = new ByteReader(payload);
  const capabilities = reader.uint32();
  if ((capabilities & Capability.PROTOCOL_41) === 0) throw errors.badHandshake();
  reader.uint32();
  const collation = reader.uint8();
  reader.skip(23);
  const user = reader.zeroTerminated().toString();
  const has = (flag: number): boolean => (capabilities & flag) !== 0;
  const answer = authAnswer(reader, has);
  const database = has(Capability.CONNECT_WITH_DB) && reader.left > 0 ? reader.zeroTerminated().toString() : "";
  const plugin = has(Capability.PLUGIN_AUTH) && reader.left > 0 ? optionalText(reader) : undefined;
  return { capabilities, collation, user, answer, database: database === "" ? undefined : database, plugin };
}

function authAnswer(reader: ByteReader, has: (flag: number) => boolean): Buffer {
  if (has(Capability.PLUGIN_AUTH_LENENC_DATA)) return reader.lengthEncodedBytes();
  if (has(Capability.SECURE_CONNECTION)) return reader.bytes(reader.uint8());
  return reader.zeroTerminated();
}

/** Some clients leave out the last zero. */
function optionalText(reader: ByteReader): string {
  const rest = reader.rest();
  const end = rest.indexOf(0);
  return rest.subarray(0, end < 0 ? rest.length : end).toString();
}

export interface ChangeUserRequest {
  readonly user: string;
  readonly answer: Buffer;
  readonly database: string | undefined;
  readonly collation: number | undefined;
  readonly plugin: string | undefined;
}

/** COM_CHANGE_USER, after the command's byte. */
export function parseChangeUser(payload: Buffer): ChangeUserRequest {
  const reader = new ByteReader(payload, 1);
  const user = reader.zeroTerminated().toString();
  const answer = reader.bytes(reader.uint8());
  const database = reader.zeroTerminated().toString();
  const collation = reader.left >= 2 ? reader.uint16() : undefined;
  const plugin = reader.left > 0 ? reader.zeroTerminated().toString() : undefined;
  return { user, answer, database: database === "" ? undefined : database, collation, plugin };
}

/** Asks the client to use another plugin with this challenge. */
export function authSwitch(plugin: PluginName, challenge: Buffer): Buffer {
  return new ByteWriter().uint8(0xfe).zeroTerminated(plugin).bytes(challenge).uint8(0).done();
}

/** More data of a plugin. */
export function authMoreData(data: Uint8Array): Buffer {
  return new ByteWriter(data.length + 1).uint8(1).bytes(data).done();
}
