/** Columns of built-in kinds, by table. */
import { defaultPrinter, type Printer } from "./printer.ts";

const PRINTERS: Readonly<Record<string, Printer>> = {};

export const builtinPrinter = (table: string): Printer => PRINTERS[table] ?? defaultPrinter;
