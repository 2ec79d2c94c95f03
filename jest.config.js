// Two projects: `unit` needs no build, `cli` runs what `npm run build` made.
//   npm test -- --selectProjects unit

/** Tests that start the program, or look at the package. */
const BUILT = ['/test/(cli|house)/.*\\.test\\.ts$', '\\.built\\.test\\.ts$'];

const shared = {
  testEnvironment: '<rootDir>/test/support/environment.cjs',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } },
    ],
  },
};

export default {
  testTimeout: 60_000,
  // Left to itself jest leaves one core idle, of two.
  maxWorkers: '100%',
  projects: [
    { ...shared, displayName: 'unit', testRegex: '/test/.*\\.test\\.ts$', testPathIgnorePatterns: BUILT },
    { ...shared, displayName: 'cli', testRegex: BUILT },
  ],
};
