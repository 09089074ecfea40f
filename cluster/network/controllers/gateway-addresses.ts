/** The addresses a Gateway asks for, and those it gets: this machine is all there is. Pure. */
import type { Gateway } from "./types.ts";
import type { World } from "./world.ts";

export interface GatewayAddress {
  readonly type: string;
  readonly value: string;
}

export interface AddressFault {
  readonly reason: "UnsupportedAddress" | "AddressNotUsable";
  readonly message: string;
}

/** Its own host first, then what was asked for and can be had. */
export function gatewayAddresses(
  gateway: Gateway,
  host: string,
  world: World,
): { readonly addresses: readonly GatewayAddress[]; readonly fault?: AddressFault } {
  const own = { type: "Hostname", value: host };
  const asked = (gateway.spec.addresses ?? []).map(({ type = "IPAddress", value = "" }) => ({ type, value }));
  const unsupported = asked.find(({ type }) => type !== "IPAddress" && type !== "Hostname");
  if (unsupported !== undefined)
    return {
      addresses: [own],
      fault: {
        reason: "UnsupportedAddress",
        message: `spec.addresses: type ${unsupported.type} is not supported; use IPAddress or Hostname`,
      },
    };
  const unusable = asked.find((address) => !usable(address, gateway, host, world));
  const had = asked.filter((a) => a.value !== "" && a.value !== host && usable(a, gateway, host, world));
  const addresses = [own, ...had];
  if (unusable === undefined) return { addresses };
  return {
    addresses,
    fault: {
      reason: "AddressNotUsable",
      message: `spec.addresses: ${unusable.value} is no address of this machine; use 127.0.0.1, or leave the value out`,
    },
  };
}

/** A host name may also be that of a Service, as Istio takes it. */
function usable({ type, value }: GatewayAddress, gateway: Gateway, host: string, world: World): boolean {
  if (value === "") return true;
  if (type === "IPAddress") return value === "127.0.0.1";
  const [name = "", namespace = gateway.metadata.namespace ?? ""] = value.split(".");
  return value === host || /(^|\.)localhost$/.test(value) || world.service(namespace, name) !== undefined;
}
