export * from "./api/object.ts";
export * from "./api/field-error.ts";
export * from "./api/status-error.ts";
export * from "./client/transport.ts";
export * from "./client/client.ts";
