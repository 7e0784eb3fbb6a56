import { defineConfig } from 'vitest/config';

const SECOND = 1_000;

export default defineConfig({
  test: {
    testTimeout: 30 * SECOND,
    hookTimeout: 120 * SECOND,
    projects: ['architecture', 'unit', 'integration', 'e2e'].map((name) => ({
      extends: true,
      test: { name, include: [`test/${name}/**/*.test.ts`] },
    })),
  },
});
