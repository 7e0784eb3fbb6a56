import { defineConfig } from 'vitest/config';

const SECOND = 1_000;

export default defineConfig({
  test: {
    testTimeout: 60 * SECOND,
    hookTimeout: 180 * SECOND,
    // Most tests wait: for leases to end, members to be elected, processes to start. Two cores serve four of them well.
    maxWorkers: 4,
    projects: ['architecture', 'unit', 'integration', 'e2e'].map((name) => ({
      extends: true,
      test: { name, include: [`test/${name}/**/*.test.ts`] },
    })),
  },
});
