/** A file is there whole, or as it was before: for a reader at any moment, and after a crash. */
import { rename, writeFile } from "node:fs/promises";

export async function replaceFile(file: string, text: string): Promise<void> {
  const staged = `${file}.${process.pid}`;
  await writeFile(staged, text, { mode: 0o600 });
  await rename(staged, file);
}

export const replaceJson = (file: string, value: unknown): Promise<void> =>
  replaceFile(file, `${JSON.stringify(value, null, 2)}\n`);
