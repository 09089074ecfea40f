/** The engine that reads and checks expressions, and the functions that they can call. Loaded with the first of them. */
import { createRequire } from "node:module";
import type { Environment } from "@marcbachmann/cel-js";
import { addConversions } from "./conversions.ts";
import type { FunctionTable, Registry } from "./functions.ts";
import { addLibraries } from "./library.ts";
import { addMacros } from "./macros.ts";
import { allFunctions } from "./program.ts";

export interface Engine {
  /** Knows functions and macros, and no variable; to be cloned. */
  readonly environment: Environment;
  readonly functions: FunctionTable;
}

let loaded: Engine | undefined;

export function engine(): Engine {
  return (loaded ??= loadEngine());
}

function loadEngine(): Engine {
  const core = createRequire(import.meta.url)("@marcbachmann/cel-js") as { Environment: typeof Environment };
  const environment = new core.Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  addLibraries(forChecker(environment));
  addConversions(environment);
  addMacros(environment);
  return { environment, functions: allFunctions() };
}

/** Tells an environment what there is, so that it can check calls of it. */
export function forChecker(environment: Environment): Registry {
  const tell = (say: () => unknown): Registry => {
    say();
    return registry;
  };
  const registry: Registry = {
    registerFunction: (signature, handler) => tell(() => environment.registerFunction(signature, handler as never)),
    registerType: (name, type) => tell(() => environment.registerType(name, type as never)),
    registerConstant: (name, type, value) => tell(() => environment.registerConstant(name, type, value)),
    registerOperator: (signature) => tell(() => environment.registerOperator(signature, () => true)),
  };
  return registry;
}
