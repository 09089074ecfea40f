import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{packages,cluster,cli,components,apps,test}/**/*.test.ts"],
    exclude: ["**/node_modules/**", ".travelops/**"],
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
