/** The light part of the library: what a pod loads to meet the API. The schema is imported by its own path. */
export * from "./api/object.ts";
export * from "./api/field-error.ts";
export * from "./api/status-error.ts";
export * from "./api/clock.ts";
export * from "./api/logger.ts";
export * from "./api/names.ts";
export * from "./api/quantity.ts";
export type * from "./api/types/index.ts";
export * from "./client/transport.ts";
export * from "./client/client.ts";
export * from "./client/resources.ts";
export * from "./client/selectors.ts";
