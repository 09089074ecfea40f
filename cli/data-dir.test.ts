import { expect, test } from "vitest";
import { dataDirOf, prepareDataDir } from "./data-dir.ts";

test.runIf(process.platform === "linux")("a place where nothing can be made is told, not tried for ever", async () => {
  const dir = dataDirOf("/proc/nowhere/data", {}, "/");
  await expect(prepareDataDir(dir)).rejects.toThrow(/the data directory \/proc\/nowhere\/data cannot be used: ENOENT/);
});
