import { defineConfig } from "vitest/config";

const exclude = ["**/node_modules/**", ".travelops/**"];
const common = {
  isolate: false,
  testTimeout: 30_000,
  hookTimeout: 30_000,
  setupFiles: [new URL("test/seed.ts", import.meta.url).pathname],
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: "parts",
          include: ["{packages,cluster,cli,components,apps,test}/**/*.test.ts"],
          exclude: [...exclude, "test/e2e/**"],
        },
      },
      {
        // The whole pattern is up for these: after all others, one file at a time.
        test: {
          ...common,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude,
          globalSetup: ["test/e2e/global-set-up.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
