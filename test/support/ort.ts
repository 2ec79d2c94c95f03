/** Runs models in ONNX Runtime, and reads their optimized graphs. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, InferenceSession, Tensor } from 'onnxruntime-node';

/** A model as bytes, or the path of its file (which external data needs). */
export type ModelRef = Uint8Array | string;

/** The severity from which ONNX Runtime may write to stderr: errors. */
const ERRORS_ONLY = 3;

// Kernels log through the environment, not through their session.
env.logLevel = 'error';

/** A float32 tensor to feed. */
export function feed(dims: readonly number[], data: Float32Array): Tensor {
  return new Tensor('float32', data, dims);
}

/** Runs a model once, by default without graph optimizations, and returns its outputs by name. */
export async function runModel(
  model: ModelRef,
  feeds: Readonly<Record<string, Tensor>>,
  optimization: 'disabled' | 'all' = 'disabled',
): Promise<Record<string, Tensor>> {
  const session = await open(model, { graphOptimizationLevel: optimization });
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The model that ONNX Runtime optimizes at its highest level, with the operators that will run. */
export async function optimizedModel(model: ModelRef): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-compress-'));
  try {
    const path = join(folder, 'optimized.onnx');
    const session = await open(model, { graphOptimizationLevel: 'all', optimizedModelFilePath: path });
    await session.release();
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A session of an unoptimized model, to be released. Fails if ONNX Runtime has no kernel for an operator. */
export function sessionOf(model: ModelRef): Promise<InferenceSession> {
  return open(model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
}

function open(model: ModelRef, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  // Models of tests are small: starting a second thread would take as long as everything else.
  const all = { logSeverityLevel: ERRORS_ONLY, executionProviders: ['cpu'], intraOpNumThreads: 1, ...options } as const;
  return typeof model === 'string' ? InferenceSession.create(model, all) : InferenceSession.create(model, all);
}
