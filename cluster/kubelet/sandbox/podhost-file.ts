import { fileURLToPath } from "node:url";

/** podhost's program. */
export const PODHOST = fileURLToPath(new URL("../podhost/podhost.cjs", import.meta.url));
