/** Running models in ONNX Runtime: what they compute, and what its optimizer makes of them. */
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

/** Runs a model once, without graph optimizations unless asked for, and gives its outputs by name. */
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

/** The model as ONNX Runtime rewrites it at its highest optimization level, with the operators it will really run. */
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

/** A session of a model as it stands, to be released. Fails where ONNX Runtime has no kernel for an operator. */
export function sessionOf(model: ModelRef): Promise<InferenceSession> {
  return open(model, { graphOptimizationLevel: 'disabled', logSeverityLevel: 4 });
}

function open(model: ModelRef, options: InferenceSession.SessionOptions): Promise<InferenceSession> {
  // Models of tests are small: starting a second thread, which then waits in a loop, takes as long as all else.
  const all = { logSeverityLevel: ERRORS_ONLY, executionProviders: ['cpu'], intraOpNumThreads: 1, ...options } as const;
  return typeof model === 'string' ? InferenceSession.create(model, all) : InferenceSession.create(model, all);
}
