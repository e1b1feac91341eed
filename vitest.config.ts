import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    // What is waited for comes when it comes, on a machine that others starve for most of its time too; without that it comes within
    // milliseconds. These end what hangs, and nothing in a test has less.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 200_000, interval: 10 } },
    // The same process for one file after the other, whose modules are read once: a fifth of the time of all. Tests leave no globals behind.
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          isolate: false,
          setupFiles: ['test/support/same-draws.ts'],
        },
      },
      { extends: true, test: { name: 'commands', include: ['test/e2e/commands/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'e2e', include: ['test/e2e/*.test.ts'] } },
    ],
  },
})
