/** Who may import whom: the table of docs/architecture.md. */
const rooms = {
  bytes: ['errors'],
  io: ['bytes', 'errors'],
  ir: ['bytes', 'errors'],
  onnx: ['ir', 'io', 'bytes', 'compute', 'errors'],
  kernels: ['errors'],
  compute: ['bytes', 'ir', 'kernels', 'errors'],
  passes: ['bytes', 'ir', 'kernels', 'compute', 'errors'],
  runtime: ['onnx', 'ir', 'io', 'bytes', 'kernels', 'errors'],
};
const forbidden = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `src/${room} may import only: ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})(/|\\.ts$)` },
}));

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'index-never-cli', severity: 'error', from: { path: '^src/index\\.ts$' }, to: { path: '^src/cli/' } },
    {
      name: 'terminal-only-in-cli',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: 'node_modules/(yargs|chalk|cli-table3|cli-progress)/' },
    },
    {
      name: 'kernels-no-package',
      severity: 'error',
      from: { path: '^src/kernels/' },
      to: { dependencyTypes: ['npm', 'core'] },
    },
    {
      name: 'ir-passes-no-files',
      severity: 'error',
      from: { path: '^src/(ir|passes)/' },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'resolves', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      conditionNames: ['import', 'node', 'default'],
      exportsFields: ['exports'],
    },
  },
};
