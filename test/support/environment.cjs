const { TestEnvironment } = require('jest-environment-node');

const SHARED = [
  ...['Int8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'],
  ...['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'],
];

/**
 * jest runs each test file with array classes of its own, while onnxruntime-node's native code makes arrays of the
 * classes of the process and tells types apart by class. Here both are the same. (Uint8Array is so in jest already.)
 */
module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const name of SHARED) this.global[name] = globalThis[name];
  }
};
