/** Requests of two managers on a Deployment, for the tests of ownership. */
import type { KubeObject, ManagedFieldsEntry } from "../../api/object.ts";
import { fieldSetOf } from "../field-set.ts";
import { serverSideApply, trackUpdate } from "../managed-fields.ts";
import type { ApplyRequest, UpdateRequest } from "../managed-fields.ts";
import { kindNode } from "../table.ts";

export const deploymentNode = kindNode("apps", "v1", "Deployment");
if (deploymentNode === undefined) throw new Error("no Deployment");
export const T0 = Date.UTC(2026, 0, 1, 10, 0, 0);
export const T1 = T0 + 60_000;
export const STATUS = fieldSetOf(["status"]);

export const apply = (
  live: KubeObject | undefined,
  applied: unknown,
  manager: string,
  options: Partial<ApplyRequest> = {},
): KubeObject =>
  serverSideApply({
    node: deploymentNode,
    live,
    applied: applied as KubeObject,
    manager,
    force: false,
    apiVersion: "apps/v1",
    now: T0,
    resetFields: STATUS,
    ...options,
  }).object;
export const update = (
  before: KubeObject | undefined,
  after: unknown,
  manager: string,
  options: Partial<UpdateRequest> = {},
): KubeObject =>
  trackUpdate({
    node: deploymentNode,
    before,
    after: after as KubeObject,
    manager,
    apiVersion: "apps/v1",
    now: T0,
    resetFields: STATUS,
    ...options,
  });

export const config = (spec: object, metadata: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "shop", ...metadata },
  spec,
});
export const container = (name: string, more: object = {}): object => ({ name, image: "img", ...more });
export const pods = (...containers: object[]): object => ({ template: { spec: { containers } } });
export const stored = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, uid: "u1" } });
export const owners = (object: KubeObject): ManagedFieldsEntry[] => object.metadata.managedFields ?? [];
export const fieldsOf = (object: KubeObject, manager: string): unknown =>
  owners(object).find((entry) => entry.manager === manager)?.fieldsV1;
