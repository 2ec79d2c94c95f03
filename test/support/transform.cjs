const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const swc = require('@swc/jest');

/** Names of the language that code looks up often. */
const OWN_NAMES = [
  ...['Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'],
  ...['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'ArrayBuffer', 'DataView'],
  ...['Array', 'BigInt', 'Error', 'JSON', 'Map', 'Math', 'Number', 'Object', 'Promise', 'Set', 'String', 'Symbol'],
];
const ITSELF = readFileSync(__filename);

/**
 * jest runs each file in a context of Node's `vm`, where a global name takes 300 ns to look up, for each `Math.round` anew.
 * In Node itself it takes none. So each module gets the names it uses as constants of its own, in its first line.
 */
function withOwnNames(source) {
  const used = OWN_NAMES.filter((name) => new RegExp(`\\b${name}\\b`).test(source));
  return used.length === 0 ? '' : `const { ${used.join(', ')} } = globalThis;`;
}

module.exports = {
  OWN_NAMES,
  createTransformer(options) {
    const inner = swc.createTransformer(options);
    const completed = (source, result) => ({ ...result, code: withOwnNames(source) + result.code });
    return {
      ...inner,
      process: (source, ...more) => completed(source, inner.process(source, ...more)),
      processAsync: async (source, ...more) => completed(source, await inner.processAsync(source, ...more)),
      getCacheKey: (...given) =>
        createHash('sha1')
          .update(inner.getCacheKey(...given))
          .update(ITSELF)
          .digest('hex'),
    };
  },
};
