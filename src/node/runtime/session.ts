import { lstat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { CompressError } from '../../errors.ts';
import type { ValueInfo } from '../../ir/graph.ts';
import { letGo } from '../../kernels/letGo.ts';
import type { FeedData, FeedTensor, Sample } from '../data/types.ts';
import { firstLine, loadRuntime, type Runtime } from './load.ts';

/** How far ONNX Runtime optimizes a graph before it runs it. */
export type Optimization = 'disabled' | 'basic' | 'extended' | 'all';

/** As many threads as there are processors: by default ONNX Runtime uses half of them if it cannot count cores. */
export const PROCESSORS: number = availableParallelism();

/** Settings of a session; absent ones have ONNX Runtime's defaults. */
export interface SessionOptions {
  /** What errors call the model; its path, or `model`, if omitted. */
  readonly label?: string;
  /** `all` if omitted. */
  readonly optimization?: Optimization;
  /** Threads within one operator. */
  readonly threads?: number;
  /** A file to write the optimized graph to, with the operators that will really run. */
  readonly optimizedModelPath?: string;
  /** Run QuantizeLinear and DequantizeLinear as they are, instead of fusing them into integer kernels. */
  readonly keepQdq?: boolean;
  /** Let kernels prepack weights, a copy that pays off after some runs; true if omitted. */
  readonly packsWeights?: boolean;
  /** Keep memory that a node has freed for others; true if omitted. */
  readonly arena?: boolean;
  /**
   * Let threads spin while they wait for the next operator, which takes processor time from everything else; true if
   * omitted.
   */
  readonly spins?: boolean;
}

/** A loaded model. */
export interface Session {
  readonly label: string;
  /** Outputs that are tensors of numbers. Others (sequences, maps, strings) cannot be fetched. */
  readonly outputs: readonly ValueInfo[];
  readonly outputNames: readonly string[];
  /**
   * Runs the model once.
   * @param fetches - names of the outputs to compute; all of `outputNames` if omitted
   * @throws CompressError `runtime` with the first line of what ONNX Runtime says
   */
  run(
    feeds: Readonly<Record<string, FeedTensor>>,
    fetches?: readonly string[],
  ): Promise<Readonly<Record<string, FeedTensor>>>;
  /**
   * Runs the model once, and stores outputs in the arrays of these tensors.
   * @param outputs - with the dims that they will have
   * @throws CompressError `runtime`
   */
  runInto(feeds: Readonly<Record<string, FeedTensor>>, outputs: Readonly<Record<string, FeedTensor>>): Promise<void>;
  /** Frees the memory. A second call does nothing. */
  release(): Promise<void>;
}

/** The severity from which ONNX Runtime may write to stderr. Errors are also thrown, so that we report them once. */
const FATAL = 4;

/**
 * Loads a model into ONNX Runtime, on the CPU.
 * @param model - the model's bytes, or the path of its file, which external data needs
 * @throws CompressError `runtime` if ONNX Runtime is missing or refuses the model
 * @see https://onnxruntime.ai/docs/api/js/interfaces/InferenceSession.SessionOptions.html
 */
export async function openSession(model: string | Uint8Array, options: SessionOptions = {}): Promise<Session> {
  const runtime = await loadRuntime();
  const label = options.label ?? (typeof model === 'string' ? model : 'model');
  const fail = (cause: unknown): never => {
    throw new CompressError('runtime', label, `ONNX Runtime: ${firstLine(cause)}`, { cause });
  };
  const settings = settingsOf(options);
  const { InferenceSession: factory } = runtime;
  // One call per overload, as TypeScript requires.
  const opening =
    typeof model === 'string' ? factory.create(await pathToRun(model), settings) : factory.create(model, settings);
  const session = await opening.catch(fail);
  const outputs = valuesOf(session.outputMetadata).filter((one) => one.dtype !== undefined && one.dtype !== 'string');
  const outputNames = outputs.map((one) => one.name);
  let released = false;
  return {
    label,
    outputs,
    outputNames,
    async run(feeds, fetches = outputNames) {
      if (fetches.length === 0) {
        throw new CompressError('unsupported', label, 'has no numeric output to compute');
      }
      try {
        return taken(await session.run(tensorsOf(runtime, feeds), fetches));
      } catch (cause) {
        return fail(cause);
      }
    },
    async runInto(feeds, into) {
      const results = await session.run(tensorsOf(runtime, feeds), tensorsOf(runtime, into)).catch(fail);
      // onnxruntime-node 1.30 copies each output to its own array, even if it was given one.
      for (const [name, copy] of Object.entries(results)) {
        const data = (copy as Tensor).data as FeedData;
        if (data.buffer !== into[name]?.data.buffer) letGo(data);
      }
    },
    async release() {
      if (released) return;
      released = true;
      await session.release();
    },
  };
}

/** Runs a sample; errors name it. */
export async function runOne(session: Session, sample: Sample, fetches: readonly string[]): ReturnType<Session['run']> {
  return session.run(sample.feeds, fetches).catch((cause: unknown) => {
    if (!(cause instanceof CompressError)) throw cause;
    throw new CompressError(cause.code, sample.label, cause.message, { cause });
  });
}

/** The path for ONNX Runtime to load a model from. Only links, which are rare, need the model to be read first. */
export async function pathToRun(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? (await import('./linked.ts')).resolvedModelPath(path) : path;
}

function settingsOf(options: SessionOptions): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    logSeverityLevel: FATAL,
    graphOptimizationLevel: options.optimization ?? 'all',
    ...(options.arena === false ? { enableCpuMemArena: false, enableMemPattern: false } : {}),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
    ...(options.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: options.optimizedModelPath }),
    extra: {
      session: {
        ...(options.keepQdq === true ? { disable_quant_qdq: '1' } : {}),
        ...(options.packsWeights === false ? { disable_prepacking: '1' } : {}),
        ...(options.spins === false ? { intra_op: { allow_spinning: '0' } } : {}),
      },
    },
  };
}

function tensorsOf(runtime: Runtime, tensors: Readonly<Record<string, FeedTensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(tensors).map(([name, one]) => [name, tensorOf(runtime, one)]));
}

function tensorOf(runtime: Runtime, { dtype, data, dims }: FeedTensor): Tensor {
  // The constructor has one overload per type; ours is a union, and it checks the pair itself.
  return new runtime.Tensor(dtype as 'float32', data as Float32Array, dims);
}

/** The outputs as plain tensors. ONNX Runtime's own ones are freed at once, not by the garbage collector. */
function taken(results: InferenceSession.ReturnType): Record<string, FeedTensor> {
  const entries = Object.entries(results).map(([name, value]) => {
    const tensor = value as Tensor;
    const made = { dtype: tensor.type as FeedTensor['dtype'], dims: tensor.dims, data: tensor.data as FeedData };
    tensor.dispose();
    return [name, made] as const;
  });
  return Object.fromEntries(entries);
}

function valuesOf(metadata: readonly InferenceSession.ValueMetadata[]): ValueInfo[] {
  return metadata.map((one) => {
    if (!one.isTensor) return { name: one.name };
    const dims = one.shape.map((dim) => (dim === '' ? undefined : dim));
    return { name: one.name, dtype: one.type, ...(dims.length === 0 ? {} : { dims }) };
  });
}
