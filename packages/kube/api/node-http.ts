/**
 * Node's http module without what importing it costs: an ES import reads every export, and the getters among them load
 * undici (20 ms of CPU). Asked for by name, only what is used is loaded.
 */
export const nodeHttp = (): typeof import("node:http") => process.getBuiltinModule("node:http");
