import { CompressError } from '../../errors.ts';
import { installRuntime } from './install.ts';

/** ONNX Runtime's JavaScript module. */
export type Runtime = typeof import('onnxruntime-node');

/** The variable that disables ONNX Runtime's telemetry. A user who wants telemetry sets it to 0. */
const TELEMETRY = 'ORT_DISABLE_TELEMETRY';

/**
 * ONNX Runtime, loaded on first use: pruning and quantizing weights do not need it.
 * @param load - imports the module; tests replace it
 * @throws CompressError `runtime` if the package, or its binary for this machine, is missing
 */
export async function loadRuntime(load: () => Promise<Runtime> = () => import('onnxruntime-node')): Promise<Runtime> {
  // From 1.29 on, ONNX Runtime reports the models it opens (names, hashes) to its makers, and leaves files behind for
  // that.
  process.env[TELEMETRY] ??= '1';
  let runtime: Runtime;
  try {
    runtime = await load();
  } catch (cause) {
    const message = firstLine(cause);
    const absent = /Cannot find (package|module) '?onnxruntime-node/.test(message);
    const fact = absent ? 'is required to run models, but is not installed' : `cannot be loaded: ${message}`;
    throw new CompressError('runtime', 'onnxruntime-node', fact, { hint: installRuntime(), cause });
  }
  // Kernels log through the environment, not through their session.
  runtime.env.logLevel = 'fatal';
  return runtime;
}

/** The first line of an error: ONNX Runtime adds many. */
export function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split('\n', 1)[0] ?? message;
}
