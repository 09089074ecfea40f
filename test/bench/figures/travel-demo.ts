import type { OwnFigure } from "../figure.ts";
export const travelDemo: OwnFigure = { kind: "own", id: "demo", measure: async () => [] };
