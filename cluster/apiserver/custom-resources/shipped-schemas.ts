/**
 * Schemas of the CRDs that every cluster is made with, by digest. That they are sound is for a test to find out once
 * rather than for each cluster at its start, where it took 60 ms, and a fifth of the memory in use by then: patterns
 * are compiled, and the checks run often enough to be compiled themselves. Any other schema is checked.
 */
import { createHash } from "node:crypto";

export const SHIPPED_SCHEMAS: ReadonlySet<string> = new Set([
  "6TFHLAvVi8Tqe5LJLhS0zwMwRWf0FQ0Oke52C7EQLFk=", // gatewayclasses v1, gatewayclasses v1beta1
  "ztIVEVdIO2hr1FBuhGD4ogllqEEhNajgwVxcWl0Bjw8=", // gateways v1, gateways v1beta1
  "QuBtPS4KumYp3eR2q1bF3vdXeF883dcDvA+FmmILGHg=", // grpcroutes v1
  "QkYT4NxPYC9a0/GLfHDh2eE9cWfqY3CfZ0UqKyPkwns=", // httproutes v1, httproutes v1beta1
  "q4SUIVJJ+y8GGCRPO3CtzHBFohSyr7DqeIu2Du1b9FA=", // referencegrants v1, referencegrants v1beta1
  "zr8XmdSNjFejMj8FviNh3zF+UcuJHklSx9HxcByIoSU=", // tlsroutes v1
  "Cmlx/0NaYOl9JBGbyMJ5RoIHu+wFpFhMBdRE9aI0zJc=", // clusterversions v1
  "4FyGTuyB7nwWC9hvcmdIa/zHn/nL7j8x/AfsygglcF4=", // consolelinks v1
  "ubn5xQtRxScrTLTzCBgSwEPclct/bjW1REhc8EONo1c=", // infrastructures v1
  "DP3XCFpJr2dO4v8gJjvT6ricV8pL4j5buih7AOCKxK8=", // ingresses v1
  "s9ooBhSFP0mNMva78jdp9zvpbCaEyGUUUnc2rvBQf8I=", // routes v1
]);

/** Of the schema as it is written: one whose fields stand in another order is another. */
export const schemaDigest = (schema: unknown): string =>
  createHash("sha256").update(JSON.stringify(schema)).digest("base64");

export const isShipped = (schema: unknown): boolean => SHIPPED_SCHEMAS.has(schemaDigest(schema));
