import type { Connection } from "./connection.ts";
import type { Outcome } from "./engine/outcome.ts";
import { columnListings } from "./engine/schema-listing.ts";
import type { PreparedText } from "./engine/session.ts";
import { errors } from "./errors.ts";
import type { SqlValue } from "./functions/definition.ts";
import { matchesLike } from "./functions/patterns.ts";
import { columnNamed, columnValueType } from "./sql/table-definition.ts";
import { syntaxErrorAt } from "./sql/tokenizer.ts";
import { text } from "./sql/value-type.ts";
import { ByteReader, ByteWriter } from "./wire/bytes.ts";
import { decodeText } from "./wire/charset.ts";
import { Command, Status } from "./wire/constants.ts";
import {
  binaryRowPacket,
  columnCountPacket,
  columnPacket,
  eofPacket,
  okPacket,
  textRowPacket,
  type ResultColumn,
} from "./wire/result-packets.ts";
import { readParameters } from "./wire/statement-parameters.ts";

type Describe = (command: string, statement?: string) => void;

/** Carries out one command of the protocol and answers it. */
export async function runCommand(connection: Connection, payload: Buffer, describe: Describe): Promise<void> {
  const { session, channel } = connection;
  switch (payload[0]) {
    case Command.QUERY:
      return query(connection, payload, describe);
    case Command.PING:
      return ok(connection);
    case Command.INIT_DB:
      session.use(payload.subarray(1).toString());
      return ok(connection);
    case Command.FIELD_LIST:
      return fieldList(connection, payload);
    case Command.STATISTICS: {
      const { engine } = session;
      const uptime = Math.floor((engine.now() - engine.startedAt) / 1000);
      channel.send(Buffer.from(`Uptime: ${uptime}  Threads: ${engine.processes.size}  Questions: ${engine.questions}`));
      return;
    }
    case Command.CHANGE_USER:
      await connection.changeUser(payload);
      return ok(connection);
    case Command.RESET_CONNECTION:
      session.reset();
      connection.prepared.clear();
      return ok(connection);
    case Command.SET_OPTION:
      connection.multiStatements = new ByteReader(payload, 1).uint16() === 0;
      channel.send(eofPacket(connection.status, 0));
      return;
    case Command.PROCESS_KILL: {
      const [kill] = session.split(`KILL ${new ByteReader(payload, 1).uint32()}`);
      if (kill) await answer(connection, await session.run(kill), false);
      return;
    }
    default:
      return preparedCommand(connection, payload, describe);
  }
}

async function preparedCommand(connection: Connection, payload: Buffer, describe: Describe): Promise<void> {
  const { prepared } = connection;
  const reader = new ByteReader(payload, 1);
  switch (payload[0]) {
    case Command.STMT_PREPARE:
      return prepare(connection, payload);
    case Command.STMT_EXECUTE:
      return execute(connection, reader, describe);
    case Command.STMT_SEND_LONG_DATA: {
      const { longData } = prepared.get(reader.uint32(), "mysql_stmt_send_long_data");
      const index = reader.uint16();
      const before = longData.get(index) ?? Buffer.alloc(0);
      longData.set(index, Buffer.concat([before, reader.rest()]));
      return;
    }
    case Command.STMT_CLOSE:
      prepared.close(reader.uint32());
      return;
    case Command.STMT_RESET:
      prepared.get(reader.uint32(), "mysql_stmt_reset").longData.clear();
      return ok(connection);
    default: {
      const code = payload[0];
      if (code === undefined) throw errors.malformedPacket();
      throw errors.notSupported(`protocol command 0x${code.toString(16).padStart(2, "0")}`);
    }
  }
}

function ok(connection: Connection): void {
  connection.channel.send(
    okPacket({ affectedRows: 0, lastInsertId: 0, status: connection.status, warnings: 0, info: "" }),
  );
}

async function query(connection: Connection, payload: Buffer, describe: Describe): Promise<void> {
  const { session } = connection;
  const sql = decodeText(payload.subarray(1), session.clientCharset);
  describe("Query", sql);
  const statements = session.split(sql);
  const [, second] = statements;
  if (statements.length === 0) throw errors.emptyQuery();
  if (second && !connection.multiStatements) throw syntaxErrorAt(sql, second.tokens[0]?.start ?? 0);
  for (const [index, statement] of statements.entries()) {
    const outcome = await session.run(statement);
    await answer(connection, outcome, false, index < statements.length - 1 ? Status.MORE_RESULTS : 0);
  }
}

/** Sends what a statement led to. */
async function answer(connection: Connection, outcome: Outcome, binary: boolean, more = 0): Promise<void> {
  const { channel, session } = connection;
  const warnings = session.warnings.length;
  if (outcome.kind === "done") {
    const { affectedRows, lastInsertId, info } = outcome;
    const written = info === "" ? "" : String.fromCharCode(Math.min(info.length, 250)) + info;
    channel.send(okPacket({ affectedRows, lastInsertId, status: connection.status | more, warnings, info: written }));
    return;
  }
  const charset = session.resultCharset;
  channel.send(columnCountPacket(outcome.columns.length));
  for (const column of outcome.columns) channel.send(columnPacket(column, charset));
  channel.send(eofPacket(connection.status | more, warnings));
  const encode = binary ? binaryRowPacket : textRowPacket;
  for (const row of outcome.rows) {
    channel.send(encode(row, outcome.columns, charset));
    if (channel.full) await channel.flush();
  }
  channel.send(eofPacket(connection.status | more, warnings));
}

function oneStatement(connection: Connection, sql: string): PreparedText {
  const [first, second] = connection.session.split(sql);
  if (!first) throw errors.emptyQuery();
  if (second) throw syntaxErrorAt(sql, second.tokens[0]?.start ?? 0);
  return first;
}

function prepare(connection: Connection, payload: Buffer): void {
  const { session, channel, prepared } = connection;
  const statement = oneStatement(connection, decodeText(payload.subarray(1), session.clientCharset));
  const parsed = session.parse(statement, true);
  const columns = session.describe(parsed);
  const id = prepared.add(statement, parsed.parameters);
  const head = new ByteWriter(12).uint8(0).uint32(id).uint16(columns.length).uint16(parsed.parameters);
  channel.send(head.uint8(0).uint16(0).done());
  const charset = session.resultCharset;
  const parameter: ResultColumn = { name: "?", type: text(0) };
  for (let index = 0; index < parsed.parameters; index++) channel.send(columnPacket(parameter, charset));
  if (parsed.parameters > 0) channel.send(eofPacket(connection.status, 0));
  for (const column of columns) channel.send(columnPacket(column, charset));
  if (columns.length > 0) channel.send(eofPacket(connection.status, 0));
}

async function execute(connection: Connection, reader: ByteReader, describe: Describe): Promise<void> {
  const { session, prepared } = connection;
  const entry = prepared.get(reader.uint32(), "mysqld_stmt_execute");
  reader.uint8();
  reader.uint32();
  const { values, types } = readParameters(reader, {
    count: entry.parameters,
    types: entry.types,
    longData: entry.longData,
    charset: session.clientCharset,
  });
  entry.types = types;
  entry.longData.clear();
  describe("Execute", entry.text.sql);
  const outcome = await session.run(entry.text, values satisfies readonly SqlValue[]);
  await answer(connection, outcome, true);
}

/** COM_FIELD_LIST: the columns of a table, as old clients ask for them. */
function fieldList(connection: Connection, payload: Buffer): void {
  const { session, channel } = connection;
  const reader = new ByteReader(payload, 1);
  const name = reader.zeroTerminated().toString();
  const pattern = reader.rest().toString().replaceAll("\0", "");
  const { database } = session;
  if (database === undefined) throw errors.noDatabase();
  session.require("SELECT", database, name);
  const relation = session.engine.schemas.relation(database, name);
  if (!relation) throw errors.noSuchTable(database, name);
  for (const listing of columnListings(relation)) {
    if (pattern !== "" && !matchesLike(listing.name, pattern, "\\")) continue;
    const column = relation.kind === "table" ? columnNamed(relation, listing.name) : undefined;
    const type = column && relation.kind === "table" ? columnValueType(relation, column) : text(255);
    const from = { database, table: name, alias: name, column: listing.name };
    channel.send(columnPacket({ name: listing.name, type, from }, session.resultCharset, true));
  }
  channel.send(eofPacket(connection.status, 0));
}
