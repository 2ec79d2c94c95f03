/** Conversions for tests: from bytes or a spec to a Model and back. */
import {
  bytesSink,
  bytesSource,
  type Model,
  type Pass,
  type PassReport,
  readModel,
  writeModel,
} from '../../src/index.node.ts';
import { buildModel, type ModelSpec } from './build.ts';
import { expectSame } from './oracle.ts';

/** A model read from bytes, or built from a spec. */
export function modelOf(from: Uint8Array | ModelSpec): Promise<Model> {
  return readModel(bytesSource(from instanceof Uint8Array ? from : buildModel(from)));
}

/** The bytes of the written model. */
export async function bytesOf(model: Model): Promise<Uint8Array> {
  const sink = bytesSink();
  await writeModel(model, sink, { data: 'embed' });
  return sink.bytes();
}

/** The result of passes. */
export interface Passed {
  readonly model: Model;
  /** The report of the last pass. */
  readonly report: PassReport;
  /** The written model. */
  readonly bytes: Uint8Array;
}

/** Runs passes over a model from bytes, from a spec or from a file, and writes it; onnx-proto must read it the same. */
export async function pass(from: Uint8Array | ModelSpec | string, ...passes: readonly Pass[]): Promise<Passed> {
  const model = typeof from === 'string' ? await readModel(from) : await modelOf(from);
  let report: PassReport | undefined;
  for (const one of passes) report = await one.run(model);
  if (report === undefined) throw new Error('no pass');
  const bytes = await bytesOf(model);
  await expectSame(bytes, model);
  // The weights of a model from a file are only in `bytes` from here on.
  if (typeof from === 'string') await model.close();
  return { model, report, bytes };
}

/** The bytes of the weight with a name, in any graph of the model. */
export async function weightBytes(model: Model, name: string): Promise<Uint8Array> {
  for (const graph of model.graphs()) {
    const held = graph.initializers.get(name) ?? graph.constant(name)?.tensor;
    if (held !== undefined) return held.load();
  }
  throw new Error(`no weight '${name}'`);
}

/** The weight with a name as float32. */
export async function weightFloats(model: Model, name: string): Promise<Float32Array> {
  return new Float32Array(Uint8Array.from(await weightBytes(model, name)).buffer);
}
