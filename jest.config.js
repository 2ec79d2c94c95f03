// Three projects: `unit` is quick and needs no build; `slow` runs many models; `cli` runs what `npm run build` made.
//   npm test -- --selectProjects unit

/** Tests that start the program, or look at the package. */
const BUILT = ['/test/(cli|house)/.*\\.test\\.ts$', '\\.built\\.test\\.ts$'];
/** Tests that take several seconds. */
const SLOW = '\\.slow\\.test\\.ts$';

const shared = {
  testEnvironment: '<rootDir>/test/support/environment.cjs',
  // src comes from one file, made before the tests: see bundle.mjs.
  moduleNameMapper: { '^(?:\\.\\./)+src/(.+)\\.ts$': '<rootDir>/.jest/$1.js' },
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '<rootDir>/test/support/transform.cjs',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
};

export default {
  globalSetup: '<rootDir>/test/support/bundle.mjs',
  testTimeout: 60_000,
  // Left to itself jest leaves one core idle, of two.
  maxWorkers: '100%',
  // Modules of past test files are not freed: collecting garbage took a third of the time.
  workerIdleMemoryLimit: '700MB',
  projects: [
    { ...shared, displayName: 'unit', testRegex: '\\.test\\.ts$', testPathIgnorePatterns: [...BUILT, SLOW] },
    { ...shared, displayName: 'slow', testRegex: SLOW },
    { ...shared, displayName: 'cli', testRegex: BUILT },
  ],
};
