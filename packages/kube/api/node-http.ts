/**
 * Node's http module without what importing it costs: an ES import reads every export, and the getters among them load
 * undici (20 ms of CPU). Asked for by name, only what is used is loaded.
 */
import type * as http from "node:http";
import type * as https from "node:https";

export const nodeHttp = (): typeof http => process.getBuiltinModule("node:http");

/** Likewise: HTTP/1.1 is for servers that do not speak HTTP/2. */
export const nodeHttps = (): typeof https => process.getBuiltinModule("node:https");
