/**
 * Node's http module without what importing it costs: an ES import reads every export, and the getters among them load
 * undici (40 ms of CPU and 16 MB in every pod). Asked for by name, only what is used is loaded.
 */
export const nodeHttp = process.getBuiltinModule("node:http");
