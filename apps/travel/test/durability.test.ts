import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection, type RowDataPacket } from "mysql2/promise";
import { expect, test } from "vitest";
import { startProcess } from "./stack.ts";

test("what the database acknowledged outlives kill -9", async () => {
  const directory = mkdtempSync(join(tmpdir(), "travel-kill-"));
  const flags = ["--datadir", directory, "--port", "0"];
  const options = { host: "127.0.0.1", user: "root", password: "pw", database: "test" };
  let acknowledged = 0;
  for (let round = 0; round < 4; round++) {
    const server = await startProcess("mysqldb", { MYSQL_ROOT_PASSWORD: "pw" }, flags);
    const connection = await createConnection({ ...options, port: Number(new URL(server.url).port) });
    await connection.query("CREATE TABLE IF NOT EXISTS log (id INT PRIMARY KEY AUTO_INCREMENT)");
    const [rows] = await connection.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM log");
    expect(Number(rows[0]?.["n"])).toBeGreaterThanOrEqual(acknowledged);
    acknowledged = Number(rows[0]?.["n"]);
    connection.on("error", () => {});
    const writing = (async () => {
      for (let index = 0; index < 1000; index++) {
        await connection.query("INSERT INTO log VALUES ()");
        acknowledged++;
        if (index === 20 + round * 7) server.child.kill("SIGKILL");
      }
    })();
    await expect(writing).rejects.toThrow(/closed|ECONNRESET|EPIPE/);
    expect(await server.stop("SIGKILL")).toBe("SIGKILL");
    connection.destroy();
  }
  rmSync(directory, { recursive: true, force: true });
});
