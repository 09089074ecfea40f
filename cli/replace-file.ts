/** A file is there whole, or as it was before: for a reader at any moment, and after a crash. */
import { open, rename, rm, writeFile } from "node:fs/promises";
import { noRoom } from "./errors.ts";

export async function replaceFile(file: string, text: string): Promise<void> {
  const staged = `${file}.${process.pid}`;
  try {
    await writeFile(staged, text, { mode: 0o600 });
    await rename(staged, file);
  } catch (error) {
    await rm(staged, { force: true });
    throw (error as NodeJS.ErrnoException).code === "ENOSPC" ? noRoom(file) : error;
  }
}

export const replaceJson = (file: string, value: unknown): Promise<void> => replaceFile(file, jsonText(value));

/** As `replaceJson`, but where the disk is full in the room that the file has: for what has to be said even then. */
export async function replaceOrOverwriteJson(file: string, value: unknown): Promise<void> {
  try {
    await replaceJson(file, value);
  } catch (error) {
    if ((error as { code?: string }).code !== "NO_ROOM") throw error;
    await overwrite(file, jsonText(value)).catch(() => {
      throw error;
    });
  }
}

const jsonText = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Not shortened before it is written: the room would be anybody's. What does not fit leaves the file as it was. */
async function overwrite(file: string, text: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    const before = await handle.readFile();
    const whole = Buffer.from(text);
    const { bytesWritten } = await handle.write(whole, 0, whole.length, 0).catch(() => ({ bytesWritten: 0 }));
    const fits = bytesWritten === whole.length;
    if (!fits) await handle.write(before, 0, before.length, 0);
    await handle.truncate(fits ? whole.length : before.length);
    if (!fits) throw new Error("it does not fit");
  } finally {
    await handle.close();
  }
}
