/** Who may import whom: the table of docs/architecture.md. */
const rooms = {
  bytes: ['errors'],
  kernels: ['errors'],
  ir: ['bytes', 'errors'],
  activations: ['kernels', 'ir', 'errors'],
  compute: ['bytes', 'kernels', 'ir', 'errors'],
  onnx: ['bytes', 'ir', 'compute', 'options', 'errors'],
  schemes: ['bytes', 'kernels', 'ir', 'compute', 'errors'],
  layers: ['bytes', 'kernels', 'ir', 'schemes', 'errors'],
  targets: ['bytes', 'kernels', 'ir', 'layers', 'errors'],
  options: ['kernels', 'errors'],
  passes: ['bytes', 'kernels', 'ir', 'activations', 'compute', 'schemes', 'layers', 'targets', 'options', 'errors'],
  node: ['bytes', 'kernels', 'ir', 'activations', 'compute', 'onnx', 'layers', 'targets', 'options', 'errors'],
  'node/recipes': [
    'bytes',
    'kernels',
    'activations',
    'ir',
    'compute',
    'onnx',
    'schemes',
    'layers',
    'options',
    'passes',
    'node',
    'errors',
  ],
};
const forbidden = Object.entries(rooms).map(([room, allowed]) => ({
  name: `room-${room}`,
  comment: `src/${room} may import only: ${allowed.join(', ')}`,
  severity: 'error',
  from: { path: `^src/${room}/`, ...(room === 'node' ? { pathNot: '^src/node/recipes/' } : {}) },
  to: { path: '^src/', pathNot: `^src/(${[room, ...allowed].join('|')})(/|\\.ts$)` },
}));

module.exports = {
  forbidden: [
    ...forbidden,
    {
      name: 'no-circular',
      comment: 'nothing is circular, nor are types; only the types of ir, where graphs hold nodes that hold graphs',
      severity: 'error',
      from: { pathNot: '^src/ir/' },
      to: { circular: true },
    },
    {
      name: 'no-circular-ir',
      severity: 'error',
      from: { path: '^src/ir/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'index-never-cli', severity: 'error', from: { path: '^src/index' }, to: { path: '^src/cli/' } },
    {
      name: 'core-without-node',
      comment: 'what src/index.ts reaches runs in a browser',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: { path: '^src/(node|cli)/|^(fs|path|os|util|crypto|stream|timers|worker_threads)(/|$)', reachable: true },
    },
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
      name: 'core-no-files',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(node|cli)/|^src/index\\.node' },
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
