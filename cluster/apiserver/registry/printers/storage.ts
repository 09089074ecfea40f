import type { KubeObject } from "@travelops/kube";
import { age, AGE, array, printer, read, record, text, type Printer } from "./printer.ts";

const SHORT: Readonly<Record<string, string>> = {
  ReadWriteOnce: "RWO",
  ReadOnlyMany: "ROX",
  ReadWriteMany: "RWX",
  ReadWriteOncePod: "RWOP",
};

/** Each mode once, in this order. */
const modes = (value: unknown): string =>
  Object.entries(SHORT)
    .filter(([mode]) => array(value).includes(mode))
    .map(([, short]) => short)
    .join(",");

const storageClass = (object: KubeObject): string =>
  object.metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ??
  text(read(object, "spec", "storageClassName"));

const phase = (object: KubeObject): string =>
  object.metadata.deletionTimestamp === undefined ? text(read(object, "status", "phase")) : "Terminating";

const attributes = (object: KubeObject): string =>
  text(read(object, "spec", "volumeAttributesClassName"), "<unset>") || "<unset>";

export const persistentVolumes: Printer = printer(
  [
    ["Capacity"],
    ["Access Modes"],
    ["Reclaim Policy"],
    ["Status"],
    ["Claim"],
    ["StorageClass"],
    ["VolumeAttributesClass"],
    ["Reason"],
    AGE,
  ],
  [["VolumeMode"]],
  (object, now) => {
    const claim = record(read(object, "spec", "claimRef"));
    return [
      text(read(object, "spec", "capacity", "storage")),
      modes(read(object, "spec", "accessModes")),
      text(read(object, "spec", "persistentVolumeReclaimPolicy")),
      phase(object),
      claim["name"] === undefined ? "" : `${text(claim["namespace"])}/${text(claim["name"])}`,
      storageClass(object),
      attributes(object),
      text(read(object, "status", "reason")),
      age(object, now),
      text(read(object, "spec", "volumeMode"), "<unset>"),
    ];
  },
);

export const persistentVolumeClaims: Printer = printer(
  [["Status"], ["Volume"], ["Capacity"], ["Access Modes"], ["StorageClass"], ["VolumeAttributesClass"], AGE],
  [["VolumeMode"]],
  (object, now) => {
    const volume = text(read(object, "spec", "volumeName"));
    return [
      phase(object),
      volume,
      volume === "" ? "" : text(read(object, "status", "capacity", "storage")),
      volume === "" ? "" : modes(read(object, "status", "accessModes")),
      storageClass(object),
      attributes(object),
      age(object, now),
      text(read(object, "spec", "volumeMode"), "<unset>"),
    ];
  },
);

const isDefault = (object: KubeObject): boolean =>
  object.metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true" ||
  object.metadata.annotations?.["storageclass.beta.kubernetes.io/is-default-class"] === "true";

const storageClassColumns: Printer = printer(
  [["Provisioner"], ["ReclaimPolicy"], ["VolumeBindingMode"], ["AllowVolumeExpansion"], AGE],
  [],
  (object, now) => [
    text(object["provisioner"]),
    text(object["reclaimPolicy"], "Delete"),
    text(object["volumeBindingMode"], "Immediate"),
    object["allowVolumeExpansion"] === true,
    age(object, now),
  ],
);

export const storageClasses: Printer = {
  columns: storageClassColumns.columns,
  cells(object, now) {
    const [name = "", ...rest] = storageClassColumns.cells(object, now);
    return [isDefault(object) ? `${String(name)} (default)` : name, ...rest];
  },
};

export const volumeAttachments: Printer = printer(
  [["Attacher"], ["PV"], ["Node"], ["Attached", "boolean"], AGE],
  [],
  (object, now) => [
    text(read(object, "spec", "attacher")),
    text(read(object, "spec", "source", "persistentVolumeName")),
    text(read(object, "spec", "nodeName")),
    read(object, "status", "attached") === true,
    age(object, now),
  ],
);

export const csiDrivers: Printer = printer(
  [
    ["AttachRequired", "boolean"],
    ["PodInfoOnMount", "boolean"],
    ["StorageCapacity", "boolean"],
    ["TokenRequests"],
    ["RequiresRepublish", "boolean"],
    ["Modes"],
    AGE,
  ],
  [],
  (object, now) => {
    const audiences = array(read(object, "spec", "tokenRequests")).map((request) => text(read(request, "audience")));
    return [
      read(object, "spec", "attachRequired") !== false,
      read(object, "spec", "podInfoOnMount") === true,
      read(object, "spec", "storageCapacity") === true,
      audiences.length > 0 ? audiences.join(",") : "<unset>",
      read(object, "spec", "requiresRepublish") === true,
      array(read(object, "spec", "volumeLifecycleModes"))
        .map((mode) => text(mode))
        .join(",") || "<none>",
      age(object, now),
    ];
  },
);

export const csiNodes: Printer = printer([["Drivers", "integer"], AGE], [], (object, now) => [
  array(read(object, "spec", "drivers")).length,
  age(object, now),
]);

export const volumeAttributesClasses: Printer = printer([["DriverName"], AGE], [], (object, now) => [
  text(object["driverName"]),
  age(object, now),
]);
