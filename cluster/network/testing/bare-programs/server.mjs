// A program as users write them: it knows nothing of the sandbox.
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import mysql from "mysql2";
import { WebSocketServer } from "ws";

const name = process.env.NAME;
const say = (text) => process.stdout.write(`${text}\n`);
const app = http.createServer((req, res) => res.end(JSON.stringify({ name, url: req.url, host: req.headers.host })));
new WebSocketServer({ server: app }).on("connection", (socket) =>
  socket.on("message", (data) => socket.send(`${name} ${Buffer.from(data).toString()}`)),
);
app.listen(8000, () => say(`http ${app.address().port}`));
http.createServer((req, res) => res.end(`low ${name}`)).listen(80, "0.0.0.0", () => say("low"));
http.createServer((req, res) => res.end(`own ${name}`)).listen(9000, "localhost", () => say("own"));
http2.createServer((req, res) => res.end(`h2 ${name}`)).listen({ port: 8001 }, () => say("h2"));
const column = {
  catalog: "def",
  schema: "",
  table: "",
  orgTable: "",
  name: "name",
  orgName: "",
  characterSet: 33,
  columnLength: 255,
  columnType: 253,
  flags: 0,
  decimals: 0,
};
// mysql2 as a server counts packets otherwise than its own client, and says so.
console.error = () => {};
console.warn = () => {};
const sql = mysql.createServer();
sql.on("connection", (connection) => {
  connection.serverHandshake({
    protocolVersion: 10,
    serverVersion: "8.0.0",
    connectionId: 1,
    statusFlags: 2,
    characterSet: 8,
    capabilityFlags: 0xffffff ^ 2048,
    authCallback: (_auth, done) => done(null),
  });
  connection.on("query", () => {
    connection.sequenceId = 1;
    connection.writeTextResult([{ name }], [column]);
  });
  connection.on("error", () => {});
});
sql.listen(3306, undefined, undefined, () => say("mysql"));
net
  .createServer()
  .on("error", (error) => say(`twice ${error.code}`))
  .listen(8000);
