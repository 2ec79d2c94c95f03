// Runs models in an ONNX Runtime that cannot be in the process of the tests, one after another: see runtimes.ts.
const [, , name] = process.argv;

/** The packages, and what their sessions run on. */
const OPEN = {
  'node 1.21': async () => {
    const { default: ort } = await import('onnxruntime-node-1.21');
    return { ort, providers: ['cpu'] };
  },
  wasm: async () => {
    const { default: ort } = await import('onnxruntime-web');
    ort.env.wasm.numThreads = 1;
    return { ort, providers: ['wasm'] };
  },
};

const { ort, providers } = await OPEN[name]();
ort.env.logLevel = 'fatal';

async function run({ model, feeds, optimization, externalData }) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: providers,
    graphOptimizationLevel: optimization,
    logSeverityLevel: 4,
    intraOpNumThreads: 1,
    ...(externalData === undefined ? {} : { externalData }),
  });
  try {
    const tensors = Object.entries(feeds).map(([of, { type, data, dims }]) => [of, new ort.Tensor(type, data, dims)]);
    const outputs = Object.entries(await session.run(Object.fromEntries(tensors)));
    return Object.fromEntries(outputs.map(([of, { type, data, dims }]) => [of, { type, data, dims }]));
  } finally {
    await session.release();
  }
}

process.on('message', async (request) => {
  const answer = await run(request).then(
    (outputs) => ({ outputs }),
    (cause) => ({ error: cause instanceof Error ? cause.message : String(cause) }),
  );
  process.send(answer);
});
