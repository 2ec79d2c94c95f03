// Three projects: `unit` is quick and needs no build; `slow` runs many models; `cli` runs what `npm run build` made.
//   npm test -- --selectProjects unit

/** Tests that start the program, or look at the package. */
const BUILT = ['/test/(cli|house)/.*\\.test\\.ts$', '\\.built\\.test\\.ts$'];
/** Tests that take several seconds. */
const SLOW = '\\.slow\\.test\\.ts$';

const shared = {
  testEnvironment: '<rootDir>/test/support/environment.cjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '<rootDir>/test/support/transform.cjs',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
};

export default {
  testTimeout: 60_000,
  // Left to itself jest leaves one core idle, of two.
  maxWorkers: '100%',
  projects: [
    { ...shared, displayName: 'unit', testRegex: '\\.test\\.ts$', testPathIgnorePatterns: [...BUILT, SLOW] },
    { ...shared, displayName: 'slow', testRegex: SLOW },
    { ...shared, displayName: 'cli', testRegex: BUILT },
  ],
};
